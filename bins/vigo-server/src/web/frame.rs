//! What all pages have around them, and how they tell times.

use vigo_core::UnixTime;

use crate::access::{Principal, Role};
use crate::web::assets::{self, Asset};

/// What stands around a page.
pub(super) struct Frame {
    pub(super) title: String,
    /// The path of the section that the page belongs to.
    pub(super) section: &'static str,
    pub(super) who: Option<Principal>,
    pub(super) css: &'static Asset,
    pub(super) js: &'static Asset,
    pub(super) htmx: &'static Asset,
    pub(super) icon: &'static Asset,
}

impl Frame {
    pub(super) fn new(title: impl Into<String>, section: &'static str, who: &Principal) -> Self {
        Self { section, who: Some(who.clone()), ..Self::nobodys(title) }
    }

    /// Of a page for who is not logged in.
    pub(super) fn nobodys(title: impl Into<String>) -> Self {
        let [css, js, htmx, icon] = assets::all();
        Self { title: title.into(), section: "", who: None, css, js, htmx, icon }
    }

    /// Whether the page belongs to a section.
    pub(super) fn is_in(&self, section: &str) -> bool {
        self.section == section
    }

    /// The sections that whoever is logged in may see.
    pub(super) fn sections(&self) -> Vec<(&'static str, &'static str)> {
        let mut sections = vec![
            ("/envoys", "Envoys"),
            ("/dashboard", "Dashboard"),
            ("/tokens", "Tokens"),
            ("/rules", "Rules"),
            ("/ca", "Certificates"),
            ("/audit", "Audit"),
        ];
        if self.who.as_ref().is_some_and(|who| who.role == Role::Admin) {
            sections.push(("/access", "Access"));
        }
        sections
    }
}

/// Whether the buttons are shown.
pub(super) fn operates(who: &Principal) -> bool {
    who.role >= Role::Operator
}

/// A time, as it is read and as it is.
pub(super) struct When {
    pub(super) relative: String,
    pub(super) exact: String,
}

impl When {
    pub(super) fn new(now: UnixTime, at: UnixTime) -> Self {
        let seconds = if at > now { at.since(now).as_secs() } else { now.since(at).as_secs() };
        let amount = match seconds {
            0..=44 => "moments".to_owned(),
            45..=5399 => format!("{} min", (seconds + 30) / 60),
            5400..=172_799 => format!("{} h", (seconds + 1800) / 3600),
            _ => format!("{} days", (seconds + 43_200) / 86_400),
        };
        let relative = if at > now { format!("in {amount}") } else { format!("{amount} ago") };
        Self { relative, exact: crate::admin::rfc3339(at) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_people_say_them() {
        let now = UnixTime::from_secs(1_780_272_000);
        for (ago, said) in [
            (0, "moments ago"),
            (44, "moments ago"),
            (50, "1 min ago"),
            (119, "2 min ago"),
            (3600, "60 min ago"),
            (5400, "2 h ago"),
            (86_400, "24 h ago"),
            (3 * 86_400, "3 days ago"),
            (400 * 86_400, "400 days ago"),
        ] {
            let at = UnixTime::from_secs(now.as_secs() - ago);
            assert_eq!(When::new(now, at).relative, said, "{ago}");
        }
        let later = When::new(now, UnixTime::from_secs(now.as_secs() + 7200));
        assert_eq!((later.relative.as_str(), later.exact.as_str()), ("in 2 h", "2026-06-01T02:00:00Z"));
    }
}
