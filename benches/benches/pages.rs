//! What the operators' pages and lists cost a real server with 100,000 envoys, beside the least that it answers.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use vigo_benches::{Cpu, Fleet, Process, Row, Table, clock};
use vigo_core::record::{CertificateRecord, EnvoyRecord, HostClaim, Record as _};
use vigo_core::store::{Outcome, RedbStore, Store as _, Transaction};
use vigo_core::{ClientAddr, EnvoyId, IdentitySecret, Pin, Platform, Serial, UnixTime, keyspace};

/// How large the fleet is.
const ENVOYS: u32 = 100_000;
/// How often each is asked for, on one connection.
const TIMES: u64 = 20;

fn main() -> anyhow::Result<()> {
    let program = env!("CARGO_BIN_EXE_bench-server");
    let mut fleet = Fleet::start(program)?;
    // The home is made; the fleet is written while nobody serves from it.
    fleet.process.end();
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(fill(&fleet.file("db/vigo.redb")))?;
    fleet.process = Process::start(program, &[&fleet.file("server.yaml")], "serving")?;
    let token = token(&fleet.file("run/admin.sock"))?;

    let mut table = Table::default();
    let floor = ask(&fleet, &token, "/healthz", None)?;
    for (what, path) in [
        ("/envoys: the first page", "/envoys"),
        ("/envoys: searched", "/envoys?search=web012345"),
        ("/envoys: searched, nobody", "/envoys?search=nobody-is-called-so"),
        ("/envoys: one state, by last seen", "/envoys?status=stale&sort=-last_seen"),
        ("/envoys: by hostname, descending", "/envoys?sort=-hostname"),
        ("/api/v1/envoys: a page of 100", "/api/v1/envoys?limit=100"),
        ("/dashboard", "/dashboard"),
    ] {
        let row = ask(&fleet, &token, path, Some(&floor))?;
        table.rows.push(Row { what: what.to_owned(), ..row });
    }
    table
        .notes
        .push(format!("{ENVOYS} envoys; the floor is `GET /healthz`, {TIMES} times on one connection, as each row is"));
    println!("{table}");
    Ok(())
}

async fn fill(path: &Path) -> anyhow::Result<()> {
    let store = RedbStore::open(path)?;
    let identity = IdentitySecret::from_seed(&zeroize::Zeroizing::new([7; 32])).public();
    let now = UnixTime::from(std::fs::metadata(path)?.modified()?);
    let mut transaction = Transaction::new();
    for n in 0..ENVOYS {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&n.to_be_bytes());
        bytes[4] = (n % 251) as u8;
        let id = EnvoyId::from_random(bytes);
        let record = EnvoyRecord {
            id,
            hostname: format!("web{n:06}.rack{}.example.com", n % 400).parse()?,
            identity,
            address: ClientAddr::new(std::net::Ipv4Addr::from_bits(0x0a00_0000 + n).into()),
            reported_ip: None,
            enrolled_at: UnixTime::from_secs(now.as_secs() - u64::from(n % 5000)),
            certificates: vec![CertificateRecord {
                serial: Serial::from_random(bytes),
                key_pin: Pin::from([3; 32]),
                not_after: UnixTime::from_secs(now.as_secs() + 86_400 * u64::from(n % 365)),
            }],
            admitted_by: "approved:bench".into(),
            platform: Platform { agent_version: format!("0.{}.0", n % 7), os: "linux".into(), arch: "x86_64".into() },
            revocation: None,
            directive: None,
        };
        let claim = HostClaim { envoy: id, released: None, reenroll_until: None };
        transaction = transaction.put(keyspace::envoy(&id), record.encode());
        transaction = transaction.put(keyspace::host(&record.hostname), claim.encode());
        if transaction.writes.len() > 120 || n + 1 == ENVOYS {
            let outcome = store.commit(std::mem::take(&mut transaction)).await?;
            ensure!(matches!(outcome, Outcome::Committed(_)), "the fleet was not written: {outcome:?}");
        }
    }
    Ok(())
}

fn curl(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("curl").args(["-fksSg"]).args(arguments).output().context("curl")?;
    ensure!(output.status.success(), "curl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// An API token that may look.
fn token(socket: &Path) -> anyhow::Result<String> {
    let socket = socket.to_str().context("a path in UTF-8")?;
    let made = curl(&[
        "--unix-socket",
        socket,
        "-H",
        "content-type: application/json",
        "-d",
        r#"{"name":"bench","role":"viewer"}"#,
        "http://server/api/v1/api-tokens",
    ])?;
    let made: serde_json::Value = serde_json::from_str(&made)?;
    Ok(made["token"].as_str().context("a token")?.to_owned())
}

/// Asks for one thing many times on one connection.
fn ask(fleet: &Fleet, token: &str, path: &str, floor: Option<&Row>) -> anyhow::Result<Row> {
    let url = format!("https://{}{path}", fleet.api);
    let header = format!("authorization: Bearer {token}");
    let mut arguments = vec!["-H", header.as_str()];
    for _ in 0..TIMES {
        arguments.extend(["-o", "/dev/null", url.as_str()]);
    }
    let (began, before) = (clock(), Cpu::of(fleet.process.id())?);
    curl(&arguments)?;
    let cpu = Cpu::of(fleet.process.id())?.since(before);
    Ok(Row { what: String::new(), count: TIMES, wall: began.elapsed(), cpu, floor: floor.map(|row| row.cpu) })
}
