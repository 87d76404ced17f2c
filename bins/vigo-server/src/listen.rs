//! Sockets: one acceptor hands connections round-robin to current-thread runtimes, one for each core. Every connection
//! has a place, a handshake within ten seconds, and an end: the peer's, the server's, or a revocation's.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse as _;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;
use vigo_ca::PeerIdentity;
use vigo_ca::tls::DenySet;
use vigo_core::ClientAddr;

use crate::connections::{Connections, Place};
use crate::http::error::ApiError;
use crate::peer::Peer;

/// A handshake, the first request, and every request's headers have this long.
const HEADERS: Duration = Duration::from_secs(10);
/// A request's body and its answer's head have this long.
const BODY: Duration = Duration::from_secs(30);
/// Connections have this long to finish when the server stops.
const GRACE: Duration = Duration::from_secs(10);
/// A peer that was turned away has this long to read why.
const LINGER: Duration = Duration::from_secs(1);
/// And may send this much meanwhile.
const LINGER_BYTES: u64 = 64 * 1024;
/// A connection without a client certificate and without an open request is closed after about this long.
const IDLE: Duration = Duration::from_secs(60);
/// The most requests at once of a connection to the agents' port that has no client certificate.
const ANONYMOUS_STREAMS: u32 = 4;
/// The most bytes of a request's target.
const MAX_URL: usize = 4096;

/// What the connections of one listener share.
pub(crate) struct Listener {
    /// `grpc` or `api`: for logs and metrics.
    pub(crate) name: &'static str,
    /// Swapped when a certificate changes.
    pub(crate) tls: Arc<ArcSwap<ServerConfig>>,
    /// What answers.
    pub(crate) router: Router,
    /// Places and owners of connections.
    pub(crate) connections: Arc<Connections>,
    /// Who is refused.
    pub(crate) deny: Arc<DenySet>,
}

struct Job {
    listener: Arc<Listener>,
    stream: std::net::TcpStream,
    from: ClientAddr,
    place: Place,
}

/// The runtimes that connections live on.
pub(crate) struct Workers {
    jobs: Vec<mpsc::Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
    stop: CancellationToken,
}

impl Workers {
    /// Starts one thread for each core.
    pub(crate) fn start(stop: &CancellationToken) -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let (mut jobs, mut threads) = (Vec::new(), Vec::new());
        for core in 0..cores {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let (sender, mut receiver) = mpsc::channel::<Job>(1024);
            let stop = stop.clone();
            jobs.push(sender);
            threads.push(std::thread::Builder::new().name(format!("vigo-serve-{core}")).spawn(move || {
                runtime.block_on(async move {
                    let open = TaskTracker::new();
                    while let Some(job) = receiver.recv().await {
                        open.spawn(serve(job, stop.clone()));
                    }
                    open.close();
                    let _ = timeout(GRACE, open.wait()).await;
                });
            })?);
        }
        Ok(Self { jobs, threads, stop: stop.clone() })
    }

    /// Accepts until the server stops.
    pub(crate) fn accept(&self, socket: TcpListener, listener: Arc<Listener>) -> impl Future<Output = ()> + 'static {
        accept(self.jobs.clone(), self.stop.clone(), socket, listener)
    }

    /// Waits for the threads, after the server was told to stop.
    pub(crate) fn join(self) {
        drop(self.jobs);
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a serving thread panicked");
            }
        }
    }
}

async fn accept(jobs: Vec<mpsc::Sender<Job>>, stop: CancellationToken, socket: TcpListener, listener: Arc<Listener>) {
    let (mut turn, mut failed) = (0usize, 0u32);
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = socket.accept() => accepted,
        };
        let (stream, from) = match accepted {
            Ok((stream, from)) => (stream, ClientAddr::from(from)),
            Err(error) => {
                // Out of descriptors, most likely: those that are open must be served before more can be. Said once a
                // while, since it comes again at once.
                if failed.is_multiple_of(200) {
                    tracing::warn!(listener = listener.name, %error, "cannot accept a connection");
                }
                failed += 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(place) = listener.connections.admit(listener.name, from) else {
            metrics::counter!("vigo_connections_refused_total", "listener" => listener.name).increment(1);
            continue;
        };
        let Ok(stream) = stream.into_std() else { continue };
        turn = (turn + 1) % jobs.len();
        let job = Job { listener: Arc::clone(&listener), stream, from, place };
        if jobs[turn].try_send(job).is_err() {
            metrics::counter!("vigo_connections_refused_total", "listener" => listener.name).increment(1);
        }
    }
}

async fn serve(job: Job, stop: CancellationToken) {
    let Job { listener, stream, from, mut place } = job;
    let Ok(stream) = TcpStream::from_std(stream) else { return };
    let _ = stream.set_nodelay(true);
    let acceptor = TlsAcceptor::from(listener.tls.load_full());
    let tls = match timeout(HEADERS, acceptor.accept(stream).into_fallible()).await {
        Ok(Ok(tls)) => tls,
        Ok(Err((error, stream))) => {
            metrics::counter!("vigo_handshakes_failed_total", "listener" => listener.name).increment(1);
            tracing::debug!(listener = listener.name, %from, %error, "handshake failed");
            return linger(stream).await;
        }
        Err(_) => return,
    };
    let revoked = CancellationToken::new();
    let certificate = tls.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let identity = match certificate.map(|der| PeerIdentity::from_certificate(der)) {
        None => None,
        Some(Ok(identity)) => Some(identity),
        // The verifier has read it already, so this does not happen; if it did, nothing may be served.
        Some(Err(_)) => return,
    };
    if let Some(identity) = &identity {
        place.identify(identity.envoy, revoked.clone());
        if listener.deny.denies(identity) {
            return;
        }
    }
    let anonymous = identity.is_none();
    let first = Arc::new(Notify::new());
    let traffic = Arc::new(Traffic::default());
    let service =
        service(Arc::clone(&listener), Peer { addr: from, identity }, Arc::clone(&first), Arc::clone(&traffic));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS).max_buf_size(16 * 1024);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(if anonymous && listener.name == "grpc" { ANONYMOUS_STREAMS } else { 32 })
        // What may lie unread here for each connection.
        .initial_stream_window_size(64 * 1024)
        .initial_connection_window_size(256 * 1024)
        .max_header_list_size(16 * 1024)
        .max_pending_accept_reset_streams(16)
        .keep_alive_interval(Duration::from_secs(60))
        .keep_alive_timeout(Duration::from_secs(20));
    let connection = builder.serve_connection(TokioIo::new(tls), service);
    tokio::pin!(connection);
    let silent = async {
        if timeout(HEADERS, first.notified()).await.is_ok() {
            traffic.idle(anonymous).await;
        }
    };
    tokio::select! {
        biased;
        () = revoked.cancelled() => {}
        () = silent => {}
        ended = connection.as_mut() => {
            if let Err(error) = ended {
                tracing::debug!(listener = listener.name, %from, %error, "connection ended");
            }
        }
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = timeout(GRACE, connection).await;
        }
    }
}

/// Lets a peer read why it was turned away. With bytes of its still unread, closing would reset the connection, and the
/// reset overtakes the alert: a revoked agent would take the server for unreachable.
async fn linger(mut stream: TcpStream) {
    let drain = async {
        stream.shutdown().await?;
        tokio::io::copy(&mut stream.take(LINGER_BYTES), &mut tokio::io::sink()).await
    };
    // Whatever comes of it, the connection ends here.
    let _ = timeout(LINGER, drain).await;
}

/// The requests of one connection: how many there were, and how many are open.
#[derive(Debug, Default)]
struct Traffic {
    begun: AtomicU64,
    open: AtomicU64,
}

/// A request that is open until this is dropped.
struct Open(Arc<Traffic>);

impl Traffic {
    fn begin(self: &Arc<Self>) -> Open {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        Open(Arc::clone(self))
    }

    /// Ends when nothing was asked for a while; never for an envoy, which holds its connection.
    async fn idle(&self, anonymous: bool) {
        let mut before = 0;
        loop {
            tokio::time::sleep(IDLE).await;
            let begun = self.begun.load(Ordering::Relaxed);
            if anonymous && begun == before && self.open.load(Ordering::Relaxed) == 0 {
                return;
            }
            before = begun;
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// An answer's body, and the request that it belongs to.
struct Counted {
    body: Body,
    _open: Open,
}

impl hyper::body::Body for Counted {
    type Data = bytes::Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<bytes::Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}

fn service(
    listener: Arc<Listener>,
    peer: Peer,
    first: Arc<Notify>,
    traffic: Arc<Traffic>,
) -> impl hyper::service::Service<Request<Incoming>, Response = Response<Body>, Error = Infallible, Future: Send + 'static>
+ Send
+ 'static {
    hyper::service::service_fn(move |mut request: Request<Incoming>| {
        first.notify_one();
        let router = listener.router.clone();
        request.extensions_mut().insert(peer.clone());
        let open = traffic.begin();
        async move {
            let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
            if target > MAX_URL {
                return Ok(refusal(StatusCode::URI_TOO_LONG, "malformed", "the address is too long"));
            }
            match timeout(BODY, router.oneshot(request.map(Body::new))).await {
                // The request is open until its answer's last byte is gone.
                Ok(answer) => answer.map(|answer| answer.map(|body| Body::new(Counted { body, _open: open }))),
                Err(_) => Ok(refusal(StatusCode::REQUEST_TIMEOUT, "too_slow", "the request took too long to arrive")),
            }
        }
    })
}

fn refusal(status: StatusCode, code: &'static str, message: &str) -> Response<Body> {
    ApiError::new(status, code, message, "see the reference of the API").into_response()
}

/// Binds a listening socket; one that listens on every address takes IPv4 and IPv6.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let open = |address: SocketAddr, family| -> io::Result<TcpListener> {
        let socket = net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        if family == AddressFamily::INET6 {
            sockopt::set_ipv6_v6only(&socket, !address.ip().is_unspecified())?;
        }
        net::bind(&socket, &address)?;
        net::listen(&socket, 1024)?;
        TcpListener::from_std(std::net::TcpListener::from(socket))
    };
    match open(address, family) {
        // A kernel without IPv6: every address is every IPv4 address.
        Err(error)
            if address.ip().is_unspecified()
                && address.is_ipv6()
                && error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error()) =>
        {
            open(SocketAddr::from(([0, 0, 0, 0], address.port())), AddressFamily::INET)
        }
        answer => answer,
    }
}
