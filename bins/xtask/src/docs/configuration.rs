//! The keys of `server.yaml`.

use vigo_server::config::KEYS;

pub(super) fn page() -> String {
    let mut text = "# server.yaml\n\n\
        The server's configuration. It is `--config FILE`, else `VIGO_CONFIG_FILE`, else `./server.yaml`; its folder is the \
        server's home, and relative paths in it are relative to that. Every key may be left out. A key that is unknown, a \
        pattern or a network that cannot be meant, is refused at the start with file, line, column and the cure; \
        `vigo-server check` says the same without starting. It is read at the start alone: restart the server after a \
        change.\n\n\
        A time is written `30s`, `5m` or `8760h`. A network is written `10.0.0.0/8` or `fd00::/8`, without host bits.\n\n\
        | key | value | default | what it is for |\n|---|---|---|---|\n"
        .to_owned();
    for key in KEYS {
        let default = match key.default() {
            none if none.is_empty() => "none".to_owned(),
            default => format!("`{default}`"),
        };
        text.push_str(&format!("| `{}` | {} | {default} | {} |\n", key.name, key.value, key.meaning));
    }
    text
}
