use std::fmt::Write as _;

/// A path with its query, each value percent-encoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    text: String,
    asks: bool,
}

impl Query {
    pub(crate) fn new(path: &str) -> Self {
        Self { text: path.to_owned(), asks: false }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.text.push(if self.asks { '&' } else { '?' });
        self.asks = true;
        self.text.push_str(name);
        self.text.push('=');
        self.text.push_str(&encode(value));
        self
    }

    /// With the value, if there is one.
    pub(crate) fn with_some(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

/// What is not unreserved (RFC 3986 §2.3) becomes `%XX`; the comma between statuses may stay.
pub(crate) fn encode(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~,".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_encoded() {
        let query =
            Query::new("/a").with("status", "active,stale").with_some("none", None).with("b", "*.x &=#%\u{e4}\n");
        assert_eq!(query.as_str(), "/a?status=active,stale&b=%2A.x%20%26%3D%23%25%C3%A4%0A");
    }

    proptest! {
        #[test]
        fn any_value_is_part_of_a_uri(value: String) {
            let query = Query::new("/a").with("b", &value);
            let uri: http::Uri = query.as_str().parse().unwrap();
            let sent = uri.query().unwrap();
            prop_assert!(sent.starts_with("b=") && !sent[2..].contains(['&', '=', '#', '?']));
        }
    }
}
