//! illumos: a manifest of a service whose one process SMF starts again when it ends.

use super::{Plan, ServiceError, Start, quote};

pub(super) const NAME: &str = "svc:/system/vigo-envoy:default";
/// Where SMF keeps what did not come with the system.
pub(super) const FILE: &str = "/var/svc/manifest/site/vigo-envoy.xml";

/// A shell reads the line, after SMF has put its own values in for what begins with `%`.
fn word(word: &str) -> Option<String> {
    if word.contains('%') { None } else { quote::shell(word) }
}

pub(super) fn install(start: &Start) -> Result<Plan, ServiceError> {
    const TEXT: &str = "an SMF manifest";
    let line = start.quoted(TEXT, word)?.join(" ");
    let line = quote::xml(&line).ok_or_else(|| ServiceError::Path { path: start.0.join(" "), text: TEXT })?;
    let dependency = |name: &str, service: &str| {
        format!(
            "\t\t<dependency name=\"{name}\" grouping=\"require_all\" restart_on=\"none\" type=\"service\">\n\
             \t\t\t<service_fmri value=\"{service}\"/>\n\
             \t\t</dependency>\n"
        )
    };
    let manifest = format!(
        "<?xml version=\"1.0\"?>\n\
         <!DOCTYPE service_bundle SYSTEM \"/usr/share/lib/xml/dtd/service_bundle.dtd.1\">\n\
         <!-- Written by `vigo bootstrap`, which replaces it. -->\n\
         <service_bundle type=\"manifest\" name=\"vigo-envoy\">\n\
         \t<service name=\"system/vigo-envoy\" type=\"service\" version=\"1\">\n\
         \t\t<create_default_instance enabled=\"false\"/>\n\
         \t\t<single_instance/>\n\
         {filesystem}{network}\
         \t\t<method_context>\n\
         \t\t\t<method_credential user=\"root\" group=\"root\"/>\n\
         \t\t</method_context>\n\
         \t\t<exec_method type=\"method\" name=\"start\" exec=\"{line}\" timeout_seconds=\"0\"/>\n\
         \t\t<exec_method type=\"method\" name=\"stop\" exec=\":kill\" timeout_seconds=\"60\"/>\n\
         \t\t<property_group name=\"startd\" type=\"framework\">\n\
         \t\t\t<propval name=\"duration\" type=\"astring\" value=\"child\"/>\n\
         \t\t</property_group>\n\
         \t\t<stability value=\"Unstable\"/>\n\
         \t\t<template>\n\
         \t\t\t<common_name>\n\
         \t\t\t\t<loctext xml:lang=\"C\">Vigo envoy: checks in with the server that manages this machine</loctext>\n\
         \t\t\t</common_name>\n\
         \t\t</template>\n\
         \t</service>\n\
         </service_bundle>\n",
        filesystem = dependency("filesystem", "svc:/system/filesystem/local"),
        network = dependency("network", "svc:/milestone/network"),
    );
    Ok(Plan::default()
        .write(FILE, 0o644, manifest)
        .run("svccfg", &["import", FILE])
        .run("svcadm", &["enable", "-r", NAME])
        .attempt("svcadm", &["clear", NAME])
        .run("svcadm", &["restart", NAME]))
}

pub(super) fn remove() -> Plan {
    Plan::default()
        .attempt("svcadm", &["disable", "-s", NAME])
        .attempt("svccfg", &["delete", "-f", "svc:/system/vigo-envoy"])
        .remove(FILE)
}
