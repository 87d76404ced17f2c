//! A real server, driven over real mTLS; what it spends on an operation, beside a floor measured in the same run.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::task::JoinSet;
use vigo_benches::{Answer, Cpu, Envoy, Fleet, Line, Process, Row, Table, clock, registration};

/// Envoys that check in at the same time, each on a connection of its own.
const ENVOYS: u64 = 16;

struct Counts {
    held: u64,
    new: u64,
    enrolments: u64,
    tokens: u64,
}

fn main() -> anyhow::Result<()> {
    let scale: u64 = match variable("VIGO_BENCH_SCALE") {
        Some(text) => text.parse().context("VIGO_BENCH_SCALE is a number")?,
        None => 1,
    };
    let counts = Counts { held: 1000 * scale, new: 100 * scale, enrolments: 1000 * scale, tokens: 100 * scale };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let table = runtime.block_on(run(&counts))?;
    println!("{table}");
    if let Some(path) = variable("VIGO_BENCH_JSON") {
        std::fs::write(&path, format!("{:#}\n", table.json()))?;
        println!("JSON: {path}");
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a program's main reads the environment")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Limits count by address, so each envoy has a loopback address of its own.
fn address(number: u64) -> Ipv4Addr {
    Ipv4Addr::from(0x7f00_0002 + u32::try_from(number % 60_000).unwrap_or(0))
}

async fn run(counts: &Counts) -> anyhow::Result<Table> {
    let fleet = Fleet::start(env!("CARGO_BIN_EXE_bench-server"))?;
    let mut table = Table::default();

    let (mut envoys, row) = enrol(&fleet, "enrolment by a trusted rule", 0, counts.enrolments, &[]).await?;
    table.rows.push(row);
    let tokens = tokens(&fleet, counts.tokens)?;
    let (_, row) = enrol(&fleet, "enrolment by a token (bcrypt cost 10)", 1 << 32, counts.tokens, &tokens).await?;
    table.rows.push(row);
    envoys.truncate(usize::try_from(ENVOYS)?);

    // The first check-in of each brings its bundle and its place in the conversation; it is not counted.
    let (envoys, sizes) = warm(&fleet, envoys).await?;
    let floor_port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let reply = sizes.1.to_string();
    let floor_arguments =
        [fleet.home.path(), Path::new(&floor_port.to_string()), Path::new(&reply)].map(Path::to_path_buf);
    let floor = Process::start(
        env!("CARGO_BIN_EXE_bench-floor"),
        &floor_arguments.iter().map(std::path::PathBuf::as_path).collect::<Vec<_>>(),
        "serving",
    )?;

    let frame = vec![7; sizes.0];
    let bare = held_floor(&floor, floor_port, &envoys, counts.held, &frame).await?;
    let (envoys, mut row) = held(&fleet, envoys, counts.held).await?;
    row.floor = Some(bare);
    table.rows.push(row);
    let bare = new_floor(&floor, floor_port, &envoys, counts.new, &frame).await?;
    let mut row = new(&fleet, envoys, counts.new).await?;
    row.floor = Some(bare);
    table.rows.push(row);

    table.notes.push(format!("payloads: check-in {} bytes, reply {} bytes", sizes.0, sizes.1));
    table
        .notes
        .push(format!("one Ed25519 verification and one signature: {:.1} µs, on this machine, in this run", ed25519()));
    table.notes.push(format!("the floor: {}", concat!(env!("CARGO_MANIFEST_DIR"), "/src/bin/floor.rs")));
    Ok(table)
}

/// Enrols `count` machines, several at a time, each over a connection of its own.
async fn enrol(
    fleet: &Fleet,
    what: &str,
    first: u64,
    count: u64,
    tokens: &[String],
) -> anyhow::Result<(Vec<Envoy>, Row)> {
    let tls = fleet.first_contact()?;
    let mut prepared = Vec::new();
    for number in 0..count {
        let token = tokens.get(usize::try_from(number)?).map(String::as_str);
        prepared.push((number, registration(first + number, token, &fleet.root)?));
    }
    let (before, started) = (Cpu::of(fleet.process.id())?, clock());
    let mut envoys = Vec::new();
    let mut running = JoinSet::new();
    for (number, (frame, identity, request)) in prepared {
        let (server, tls) = (fleet.server, Arc::clone(&tls));
        running.spawn(async move {
            let mut line = Line::connect(server, address(number), tls).await?;
            match line.call("Register", &frame).await? {
                Answer::Message(answer) => Envoy::new(answer, identity, &request),
                Answer::Refused(code) => bail!("a registration was refused: {code}"),
            }
        });
        while running.len() >= 8 {
            envoys.extend(running.join_next().await.transpose()?.transpose()?);
        }
    }
    while let Some(envoy) = running.join_next().await {
        envoys.push(envoy??);
    }
    let (wall, cpu) = (started.elapsed(), Cpu::of(fleet.process.id())?.since(before));
    Ok((envoys, Row { what: what.to_owned(), count, wall, cpu, floor: None }))
}

/// Tokens from the operator's command line, as an operator makes them.
fn tokens(fleet: &Fleet, count: u64) -> anyhow::Result<Vec<String>> {
    use std::io::{Read as _, Write as _};
    let socket = fleet.file("run/admin.sock");
    (0..count)
        .map(|_| {
            let body = r#"{"pattern":"bench*.example.com"}"#;
            let mut stream = std::os::unix::net::UnixStream::connect(&socket)?;
            write!(
                stream,
                "POST /api/v1/tokens HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
                 content-length: {}\r\n\r\n{body}",
                body.len()
            )?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            let (_, json) = answer.split_once("\r\n\r\n").context("an HTTP answer")?;
            let json: serde_json::Value = serde_json::from_str(json)?;
            Ok(json["token"].as_str().context("a token")?.to_owned())
        })
        .collect()
}

async fn warm(fleet: &Fleet, envoys: Vec<Envoy>) -> anyhow::Result<(Vec<Envoy>, (usize, usize))> {
    let mut warm = Vec::new();
    let mut sizes = (0, 0);
    for (number, mut envoy) in (0..).zip(envoys) {
        let mut line = Line::connect(fleet.server, address(number), Arc::clone(&envoy.tls)).await?;
        envoy.check_in(&mut line).await?;
        sizes = envoy.check_in(&mut line).await?;
        warm.push(envoy);
    }
    Ok((warm, sizes))
}

async fn held(fleet: &Fleet, envoys: Vec<Envoy>, each: u64) -> anyhow::Result<(Vec<Envoy>, Row)> {
    let mut ready = Vec::new();
    for (number, envoy) in (0..).zip(envoys) {
        let line = Line::connect(fleet.server, address(number), Arc::clone(&envoy.tls)).await?;
        ready.push((envoy, line));
    }
    let (before, started) = (Cpu::of(fleet.process.id())?, clock());
    let mut running = JoinSet::new();
    for (mut envoy, mut line) in ready {
        running.spawn(async move {
            for _ in 0..each {
                envoy.check_in(&mut line).await?;
            }
            anyhow::Ok(envoy)
        });
    }
    let mut envoys = Vec::new();
    while let Some(envoy) = running.join_next().await {
        envoys.push(envoy??);
    }
    let (wall, cpu) = (started.elapsed(), Cpu::of(fleet.process.id())?.since(before));
    let count = each * envoys.len() as u64;
    Ok((envoys, Row { what: "check-in on a held connection".into(), count, wall, cpu, floor: None }))
}

async fn new(fleet: &Fleet, envoys: Vec<Envoy>, each: u64) -> anyhow::Result<Row> {
    let count = each * envoys.len() as u64;
    let (before, started) = (Cpu::of(fleet.process.id())?, clock());
    let mut running = JoinSet::new();
    for (number, mut envoy) in (0..).zip(envoys) {
        let server = fleet.server;
        running.spawn(async move {
            for _ in 0..each {
                let mut line = Line::connect(server, address(number), Arc::clone(&envoy.tls)).await?;
                envoy.check_in(&mut line).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    let (wall, cpu) = (started.elapsed(), Cpu::of(fleet.process.id())?.since(before));
    Ok(Row { what: "check-in on a new connection".into(), count, wall, cpu, floor: None })
}

async fn echo(line: &mut Line, frame: &[u8]) -> anyhow::Result<()> {
    match line.call("CheckIn", frame).await? {
        Answer::Message(_) => Ok(()),
        Answer::Refused(code) => bail!("the floor refused: {code}"),
    }
}

/// A message of the frame's size: its signature's field and one of bytes.
fn message(size: &[u8]) -> Vec<u8> {
    use prost::Message as _;
    let body = vec![7; size.len().saturating_sub(70)];
    vigo_core::wire::SignedCheckIn { body, signature: vec![7; 64] }.encode_to_vec()
}

async fn held_floor(
    floor: &Process,
    server: SocketAddr,
    envoys: &[Envoy],
    each: u64,
    frame: &[u8],
) -> anyhow::Result<Duration> {
    let mut lines = Vec::new();
    for (number, envoy) in (0..).zip(envoys) {
        let mut line = Line::connect(server, address(number), Arc::clone(&envoy.tls)).await?;
        echo(&mut line, &message(frame)).await?;
        lines.push(line);
    }
    let before = Cpu::of(floor.id())?;
    let mut running = JoinSet::new();
    for mut line in lines {
        let frame = message(frame);
        running.spawn(async move {
            for _ in 0..each {
                echo(&mut line, &frame).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    Ok(Cpu::of(floor.id())?.since(before))
}

async fn new_floor(
    floor: &Process,
    server: SocketAddr,
    envoys: &[Envoy],
    each: u64,
    frame: &[u8],
) -> anyhow::Result<Duration> {
    let before = Cpu::of(floor.id())?;
    let mut running = JoinSet::new();
    for (number, envoy) in (0..).zip(envoys) {
        let (tls, frame) = (Arc::clone(&envoy.tls), message(frame));
        running.spawn(async move {
            for _ in 0..each {
                let mut line = Line::connect(server, address(number), Arc::clone(&tls)).await?;
                echo(&mut line, &frame).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    Ok(Cpu::of(floor.id())?.since(before))
}

/// Microseconds for one strict verification and one signature over a frame of the usual size.
fn ed25519() -> f64 {
    use vigo_core::{CheckIn, EnvoyId, IdentitySecret, Platform, ServerId, StateReport};
    let secret = IdentitySecret::from_seed(&zeroize::Zeroizing::new([1; 32]));
    let (server, envoy) = (ServerId::from_random([2; 16]), EnvoyId::from_random([3; 16]));
    let facts = CheckIn {
        envoy,
        session: None,
        platform: Platform::default(),
        policy: None,
        trusted_roots: vec![],
        report: StateReport::default(),
    };
    let rounds = 2000;
    let started = clock();
    for _ in 0..rounds {
        if let Ok(frame) = facts.sign(&secret, &server) {
            std::hint::black_box(frame.verify(envoy, &secret.public(), &server).is_ok());
        }
    }
    started.elapsed().as_secs_f64() * 1e6 / f64::from(rounds)
}
