//! The REST API, as the server describes it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use vigo_server::reference;

const INTRO: &str = "# REST API

What the web page and `vigocli` ask for, at `https://SERVER:8443`, and on the server's admin socket. A request carries an API
token, `Authorization: Bearer vgot_…` ([how to get one](../how-to/log-in.md#programs)); on the socket nobody needs one. What
is sent and answered is JSON, times are RFC 3339 in UTC. An error is `{\"error\":{\"code\",\"message\",\"help\"}}`, with
[these codes](errors.md). A list is a page, `{\"items\":[…],\"next\":…,\"total\":…}`: give `next` back as `cursor` until it is
null. `GET /api/v1/openapi.json` is the same as a document of OpenAPI 3.1, for programs that write clients.
";

/// How utoipa names the pages of a list. The introduction says what a page is, so they are not shown one by one.
const PAGE_OF: &str = "Page_";

pub(super) fn page() -> String {
    let document = reference::openapi().unwrap_or_default();
    let mut tags: BTreeMap<String, String> = BTreeMap::new();
    for route in reference::routes() {
        let operation = &document["paths"][route.path][route.method.to_lowercase()];
        let tag = operation["tags"][0].as_str().unwrap_or("server").to_owned();
        let text = tags.entry(tag).or_default();
        text.push_str(&format!(
            "\n### {} {}\n\n{} For: {}.\n",
            route.method,
            route.path,
            sentence(operation),
            route.who
        ));
        text.push_str(&parameters(operation));
        for (name, body) in [("Body", &operation["requestBody"]), ("Answer", &operation["responses"]["200"])] {
            if let Some(content) = body["content"].as_object().and_then(|content| content.iter().next()) {
                let (kind, schema) = (content.0, type_of(&content.1["schema"]));
                let kind = if kind == "application/json" { String::new() } else { format!(" as `{kind}`") };
                text.push_str(&format!("\n{name}: {schema}{kind}\n"));
            }
        }
    }
    let mut text = INTRO.to_owned();
    for (tag, routes) in tags {
        text.push_str(&format!("\n## {}{}\n{routes}", tag[..1].to_uppercase(), &tag[1..]));
    }
    text.push_str("\n## Types\n");
    let none = Map::new();
    let schemas = document["components"]["schemas"].as_object().unwrap_or(&none);
    for (name, schema) in schemas.iter().filter(|(name, _)| !name.starts_with(PAGE_OF)) {
        text.push_str(&format!("\n### Type {name}\n\n{}\n", described(schema)));
        text.push_str(&fields(schema));
    }
    text
}

/// What an operation does; `/metrics` alone is not described, because it is no JSON.
fn sentence(operation: &Value) -> String {
    let text = operation["summary"].as_str().unwrap_or("Metrics, in the text form of Prometheus");
    format!("{}.", text.trim_end_matches('.'))
}

fn described(schema: &Value) -> String {
    one_line(schema["description"].as_str().unwrap_or_default())
}

/// For a cell of a table.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn parameters(operation: &Value) -> String {
    let Some(parameters) = operation["parameters"].as_array().filter(|list| !list.is_empty()) else {
        return String::new();
    };
    let mut text = "\n| parameter | in | type | |\n|---|---|---|---|\n".to_owned();
    for one in parameters {
        let (name, place) = (one["name"].as_str().unwrap_or_default(), one["in"].as_str().unwrap_or_default());
        text.push_str(&format!("| `{name}` | {place} | {} | {} |\n", type_of(&one["schema"]), described(one)));
    }
    text
}

fn fields(schema: &Value) -> String {
    let parts = schema["allOf"].as_array().cloned().unwrap_or_else(|| vec![schema.clone()]);
    let mut text = String::new();
    for part in parts {
        if part["$ref"].is_string() {
            text.push_str(&format!("\nAll of {}, and:\n", type_of(&part)));
        }
        let Some(properties) = part["properties"].as_object() else { continue };
        text.push_str("\n| field | type | |\n|---|---|---|\n");
        for (name, field) in properties {
            text.push_str(&format!("| `{name}` | {} | {} |\n", type_of(field), described(field)));
        }
    }
    if text.is_empty() { format!("\n{}\n", type_of(schema)) } else { text }
}

/// A schema in a few words, with links to types that have a name.
fn type_of(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return match name.strip_prefix(PAGE_OF) {
            Some(item) => format!("a page of [{item}](#type-{})", item.to_lowercase()),
            None => format!("[{name}](#type-{})", name.to_lowercase()),
        };
    }
    if let Some(words) = schema["enum"].as_array() {
        return words
            .iter()
            .map(|word| format!("`{}`", word.as_str().unwrap_or_default()))
            .collect::<Vec<_>>()
            .join(", ");
    }
    for key in ["oneOf", "anyOf", "allOf"] {
        if let Some(parts) = schema[key].as_array() {
            return parts.iter().map(type_of).collect::<Vec<_>>().join(" or ");
        }
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => vec!["any"],
    };
    let word = |kind: &str| match kind {
        "array" => format!("list of {}", type_of(&schema["items"])),
        "string" => match schema["format"].as_str() {
            Some("date-time") => "time".to_owned(),
            _ => "text".to_owned(),
        },
        "integer" | "number" => "number".to_owned(),
        "boolean" => "true or false".to_owned(),
        other => other.to_owned(),
    };
    kinds.into_iter().map(word).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(schema: &Value, expected: &str) {
        assert_eq!(type_of(schema), expected, "{schema}");
    }

    #[test]
    fn types_in_words() {
        check(&json!({"$ref": "#/components/schemas/Envoy"}), "[Envoy](#type-envoy)");
        check(&json!({"$ref": "#/components/schemas/Page_Envoy"}), "a page of [Envoy](#type-envoy)");
        check(&json!({"type": "array", "items": {"type": "string"}}), "list of text");
        check(&json!({"type": ["string", "null"], "format": "date-time"}), "time or null");
        check(&json!({"oneOf": [{"type": "null"}, {"$ref": "#/a/B"}]}), "null or [B](#type-b)");
        check(&json!({"type": "string", "enum": ["a", "b"]}), "`a`, `b`");
        check(&json!({"type": "integer"}), "number");
        check(&json!({}), "any");
    }

    #[test]
    fn every_route_is_there_with_its_role() {
        let page = page();
        for route in reference::routes() {
            assert!(page.contains(&format!("\n### {} {}\n", route.method, route.path)), "{}", route.path);
        }
        assert!(page.contains("### POST /api/v1/tokens\n\nMake a token. For: operator.\n"));
        assert!(!page.contains("Metrics, in the text form of Prometheus. For: operator"));
    }
}
