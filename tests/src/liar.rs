//! A server that lies about its agents: everything else goes to the real one behind it. What an attacker could do who
//! took the server over, but has not the key that signs builds.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, Uri, uri};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::client::provider;
use crate::{Machine, Server};

/// The answer to a path, or `None` for the truth.
pub type Lie = Box<dyn Fn(&http::request::Parts) -> Option<Response> + Send>;

/// Stands between one machine and its server.
pub struct Liar {
    lie: Arc<Mutex<Lie>>,
    port: u16,
    _runtime: tokio::runtime::Runtime,
}

#[derive(Clone)]
struct Between {
    lie: Arc<Mutex<Lie>>,
    server: String,
    machine: Arc<ClientConfig>,
}

impl Liar {
    /// Moves in between: the machine's configuration names the liar from now on. It has the server's own key and
    /// certificate, and speaks to the server with the machine's.
    ///
    /// # Panics
    /// When it cannot.
    #[must_use]
    pub fn between(machine: &Machine, server: &Server) -> Self {
        let lie: Arc<Mutex<Lie>> = Arc::new(Mutex::new(Box::new(|_| None)));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let read = |path: std::path::PathBuf| std::fs::read_to_string(path).unwrap();
        let chain = vigo_ca::pem::certificates(&read(server.file("tls/cert"))).unwrap();
        let key = vigo_ca::pem::private_key(&read(server.file("tls/key"))).unwrap();
        let mut ours = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        ours.alpn_protocols = vec![b"h2".to_vec()];
        let roots = vigo_ca::pem::certificates(&read(server.file("tls/ca"))).unwrap();
        let identity = vigo_ca::tls::ClientIdentity::new(
            vigo_ca::pem::certificates(&read(machine.file("certificate"))).unwrap(),
            vigo_ca::pem::private_key(&read(machine.file("tls_key"))).unwrap(),
        );
        let machine_tls = vigo_ca::tls::client_config(provider(), &roots, Some(identity)).unwrap();
        let between = Between { lie: Arc::clone(&lie), server: server.grpc(), machine: Arc::new(machine_tls) };
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(serve(listener, TlsAcceptor::from(Arc::new(ours)), between));
        let config = machine.config_dir().join("config");
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, text.replace(&server.grpc(), &format!("127.0.0.1:{port}"))).unwrap();
        Self { lie, port, _runtime: runtime }
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Lies like this from now on.
    pub fn tell(&self, lie: Lie) {
        *self.lie.lock().unwrap_or_else(PoisonError::into_inner) = lie;
    }
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, between: Between) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (tls, between) = (tls.clone(), between.clone());
        tokio::spawn(async move {
            let Ok(stream) = tls.accept(stream).await else { return };
            let upstream = Arc::new(tokio::sync::Mutex::new(None));
            let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
                let (between, upstream) = (between.clone(), Arc::clone(&upstream));
                async move {
                    Ok::<_, std::convert::Infallible>(answer(State((between, upstream)), request.map(Body::new)).await)
                }
            });
            // A connection that breaks is the machine's to notice.
            let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

type Upstream = Arc<tokio::sync::Mutex<Option<SendRequest<Body>>>>;

async fn answer(State((between, upstream)): State<(Between, Upstream)>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let lie = (between.lie.lock().unwrap_or_else(PoisonError::into_inner))(&parts);
    if let Some(response) = lie {
        return response;
    }
    match forward(&between, &upstream, parts, body).await {
        Ok(response) => response,
        Err(error) => (StatusCode::BAD_GATEWAY, error).into_response(),
    }
}

async fn forward(
    between: &Between,
    upstream: &Upstream,
    mut parts: http::request::Parts,
    body: Body,
) -> Result<Response, String> {
    let mut held = upstream.lock().await;
    let mut sender = match held.take().filter(|sender| !sender.is_closed()) {
        Some(sender) => sender,
        None => connect(between).await?,
    };
    *held = Some(sender.clone());
    drop(held);
    let mut uri = uri::Parts::from(parts.uri);
    (uri.scheme, uri.authority) = (Some(uri::Scheme::HTTPS), between.server.parse().ok());
    parts.uri = Uri::from_parts(uri).map_err(|error| error.to_string())?;
    let response = sender.send_request(http::Request::from_parts(parts, body)).await;
    Ok(response.map_err(|error| error.to_string())?.map(Body::new))
}

async fn connect(between: &Between) -> Result<SendRequest<Body>, String> {
    let tcp = TcpStream::connect(&between.server).await.map_err(|error| error.to_string())?;
    let name = ServerName::try_from("127.0.0.1").map_err(|error| error.to_string())?;
    let tls = TlsConnector::from(Arc::clone(&between.machine)).connect(name, tcp).await;
    let io = TokioIo::new(tls.map_err(|error| error.to_string())?);
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.map_err(|error| error.to_string())?;
    tokio::spawn(connection);
    Ok(sender)
}
