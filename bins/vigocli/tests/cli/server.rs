use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use vigo_ca::CertificateAuthority;
use vigo_ca::tls::web_server_config;
use vigo_core::{Serial, ServerId, UnixTime};

/// What the server sends back.
#[derive(Clone)]
pub(crate) enum Answer {
    /// A well-formed response.
    Json(u16, String),
    /// These bytes once a request began to arrive; then the connection is closed.
    Raw(Vec<u8>),
    /// The same, but the connection stays open until the client leaves.
    Open(Vec<u8>),
}

/// A server of one home, `server.yaml` and `run/admin.sock`; or one behind TLS. It stops when dropped.
pub(crate) struct Server {
    home: tempfile::TempDir,
    requests: Arc<Mutex<Vec<String>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
    tls: Option<Tls>,
}

/// Where a server behind TLS is, and its CA.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) url: String,
    pub(crate) pin: String,
    /// PEM.
    pub(crate) ca: String,
}

/// Where connections come from.
enum Door {
    Unix(UnixListener),
    Tls(TcpListener, TlsAcceptor),
}

impl Server {
    /// A server that gives these answers in turn, the last one for ever.
    pub(crate) fn start(answers: Vec<Answer>) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("server.yaml"), "").unwrap();
        std::fs::create_dir(home.path().join("run")).unwrap();
        let socket = home.path().join("run/admin.sock");
        // Bound before the thread starts: whoever connects next is heard.
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        listener.set_nonblocking(true).unwrap();
        Self::run(home, answers, None, move || Door::Unix(UnixListener::from_std(listener).unwrap()))
    }

    /// The same behind TLS, with a certificate of a CA of its own for 127.0.0.1. Its home holds nothing.
    pub(crate) fn start_tls(answers: Vec<Answer>) -> Self {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        // The certificate must be valid for the program under test.
        let now = UnixTime::from_secs(jiff::Timestamp::now().as_second().try_into().unwrap());
        let random = rand::random();
        let authority =
            CertificateAuthority::create(&ServerId::from_random([1; 16]), Serial::from_random(random), now).unwrap();
        let names = ["127.0.0.1".parse().unwrap()];
        let leaf = authority.issue_leaf(&names, None, Serial::from_random([3; 16]), now).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(web_server_config(provider, &leaf).unwrap()));
        let listener = std::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let tls = Tls { url, pin: authority.root().pin.to_string(), ca: authority.root().pem() };
        let home = tempfile::tempdir().unwrap();
        Self::run(home, answers, Some(tls), move || Door::Tls(TcpListener::from_std(listener).unwrap(), acceptor))
    }

    fn run(
        home: tempfile::TempDir,
        answers: Vec<Answer>,
        tls: Option<Tls>,
        open: impl FnOnce() -> Door + Send + 'static,
    ) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let serving = serve(open(), answers, log);
                tokio::select! { () = serving => {}, _ = stopped => {} }
            });
        });
        Self { home, requests, stop: Some(stop), thread: Some(thread), tls }
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.home.path().join("server.yaml")
    }

    pub(crate) fn tls(&self) -> Tls {
        self.tls.clone().unwrap()
    }

    /// `METHOD path body` of each request so far, with the bearer token behind it where there was one.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(door: Door, answers: Vec<Answer>, log: Arc<Mutex<Vec<String>>>) {
    let mut answers = answers.into_iter().peekable();
    let mut next = || {
        let left = answers.len();
        match answers.peek() {
            Some(last) if left == 1 => last.clone(),
            _ => answers.next().unwrap(),
        }
    };
    loop {
        match &door {
            Door::Unix(listener) => answer(listener.accept().await.unwrap().0, next(), &log).await,
            Door::Tls(listener, acceptor) => {
                let tcp = listener.accept().await.unwrap().0;
                let Ok(mut stream) = acceptor.accept(tcp).await else { continue };
                // Who only looks at the certificate says nothing, and takes no answer.
                let mut first = [0; 1];
                if matches!(stream.read(&mut first).await, Ok(1)) {
                    let (read, write) = tokio::io::split(stream);
                    let stream = tokio::io::join(std::io::Cursor::new(first).chain(read), write);
                    answer(stream, next(), &log).await;
                }
            }
        }
    }
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: Answer, log: &Mutex<Vec<String>>) {
    match answer {
        Answer::Raw(bytes) => {
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(&bytes).await;
        }
        Answer::Open(bytes) => {
            let _ = stream.read(&mut [0; 1024]).await;
            let _ = stream.write_all(&bytes).await;
            while matches!(stream.read(&mut [0; 1024]).await, Ok(1..)) {}
        }
        Answer::Json(status, body) => {
            let service = service_fn(|request| respond(request, status, body.clone(), log));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        }
    }
}

async fn respond(
    request: Request<Incoming>,
    status: u16,
    answer: String,
    log: &Mutex<Vec<String>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let bearer = head.headers.get(header::AUTHORIZATION).map_or("", |value| value.to_str().unwrap());
    let line = format!("{} {} {} {bearer}", head.method, head.uri, String::from_utf8_lossy(&body));
    log.lock().unwrap().push(line.trim_end().to_owned());
    let response = Response::builder().status(status).header(header::CONTENT_TYPE, "application/json");
    Ok(response.body(Full::from(answer)).unwrap())
}
