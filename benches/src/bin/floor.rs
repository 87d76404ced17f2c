//! The floor: a bare tonic echo. The TLS configuration is the server's own, the runtimes are one current-thread each for
//! a core, the payloads have the sizes of real ones; nothing is verified, looked up, signed or counted.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use anyhow::Context as _;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tonic::{Request, Response, Status};
use vigo_ca::tls::{DenySet, grpc_server_config};
use vigo_ca::{Root, ServerLeaf};
use vigo_core::wire::{self, fleet_server};

/// Answers each call with as many bytes as a real answer has.
struct Echo {
    reply: usize,
}

#[tonic::async_trait]
impl fleet_server::Fleet for Echo {
    async fn register(&self, _: Request<wire::SignedRegistration>) -> Result<Response<wire::Registered>, Status> {
        Err(Status::unimplemented("the floor enrols nobody"))
    }

    async fn check_in(&self, _: Request<wire::SignedCheckIn>) -> Result<Response<wire::SignedReply>, Status> {
        let proof = Some(wire::signed_reply::Proof::Single(vec![0; 64]));
        Ok(Response::new(wire::SignedReply { body: vec![0; self.reply.saturating_sub(70)], proof }))
    }
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let home = PathBuf::from(arguments.next().context("usage: bench-floor HOME ADDRESS REPLY-BYTES")?);
    let text = |argument: Option<std::ffi::OsString>| argument.and_then(|a| a.into_string().ok());
    let address = text(arguments.next()).context("an address")?;
    let reply: usize = text(arguments.next()).context("a size")?.parse()?;

    let read = |name: &str| std::fs::read_to_string(home.join("tls").join(name));
    let leaf = ServerLeaf::load(&read("cert")?, &read("key")?)?;
    let der = vigo_ca::pem::certificates(&read("ca")?)?.into_iter().next().context("a CA")?;
    let root = Root::from_der(&der)?;
    let server = root.server.context("a CA of ours names its fleet")?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = Arc::new(grpc_server_config(provider, &leaf, &[root], server, Arc::new(DenySet::new()))?);
    let router =
        tonic::service::Routes::new(fleet_server::FleetServer::new(Echo { reply })).prepare().into_axum_router();

    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut workers = Vec::new();
    for _ in 0..cores {
        let (sender, mut receiver) = mpsc::channel::<std::net::TcpStream>(1024);
        let (tls, router) = (Arc::clone(&tls), router.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        thread::spawn(move || {
            runtime.block_on(async move {
                while let Some(stream) = receiver.recv().await {
                    let (tls, router) = (TlsAcceptor::from(Arc::clone(&tls)), router.clone());
                    tokio::spawn(async move {
                        let Ok(stream) = TcpStream::from_std(stream) else { return };
                        let _ = stream.set_nodelay(true);
                        let Ok(stream) = tls.accept(stream).await else { return };
                        let service = TowerToHyperService::new(router);
                        let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                        // The driver ends it.
                        let _ = builder.serve_connection(TokioIo::new(stream), service).await;
                    });
                }
            });
        });
        workers.push(sender);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(&address).await?;
        eprintln!("serving on {address}");
        for turn in 0.. {
            let (stream, _) = listener.accept().await?;
            workers[turn % workers.len()].send(stream.into_std()?).await?;
        }
        Ok(())
    })
}
