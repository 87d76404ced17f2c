//! gRPC over HTTP/2 frames: one connection, one call after another, nothing between us and h2.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use bytes::{BufMut as _, Bytes, BytesMut};
use h2::client::SendRequest;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpSocket;
use tokio_rustls::TlsConnector;

/// A connection.
pub struct Line {
    send: SendRequest<Bytes>,
    authority: String,
}

/// What a call came to.
#[derive(Debug)]
pub enum Answer {
    /// The message.
    Message(Bytes),
    /// gRPC's status and the server's code.
    Refused(String),
}

impl Line {
    /// Connects from a loopback address of the caller's choice: limits count by address.
    ///
    /// # Errors
    /// When TCP, TLS or HTTP/2 does not come about.
    pub async fn connect(server: SocketAddr, from: Ipv4Addr, tls: Arc<ClientConfig>) -> anyhow::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(IpAddr::V4(from), 0))?;
        let tcp = socket.connect(server).await?;
        tcp.set_nodelay(true)?;
        let name = ServerName::from(server.ip());
        let stream = TlsConnector::from(tls).connect(name, tcp).await?;
        let (send, connection) = h2::client::Builder::new()
            .initial_window_size(1 << 20)
            .initial_connection_window_size(1 << 22)
            .handshake(stream)
            .await?;
        // Ends with the connection.
        tokio::spawn(async move { connection.await.ok() });
        Ok(Self { send, authority: server.to_string() })
    }

    /// Calls a method with an encoded message.
    ///
    /// # Errors
    /// When the connection breaks, or what comes back is no gRPC.
    pub async fn call(&mut self, method: &str, message: &[u8]) -> anyhow::Result<Answer> {
        let request = http::Request::post(format!("https://{}/vigo.v1.Fleet/{method}", self.authority))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())?;
        let mut framed = BytesMut::with_capacity(5 + message.len());
        framed.put_u8(0);
        framed.put_u32(u32::try_from(message.len())?);
        framed.put_slice(message);
        let mut ready = self.send.clone().ready().await?;
        let (response, mut body) = ready.send_request(request, false)?;
        body.send_data(framed.freeze(), true)?;
        let response = response.await?;
        let status = |headers: &http::HeaderMap| {
            let text =
                |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
            (text("grpc-status"), text("vigo-code"))
        };
        let (early, code) = status(response.headers());
        if !early.is_empty() && early != "0" {
            return Ok(Answer::Refused(format!("{early} {code}")));
        }
        let mut stream = response.into_body();
        let mut message = BytesMut::new();
        while let Some(chunk) = stream.data().await {
            let chunk = chunk?;
            stream.flow_control().release_capacity(chunk.len())?;
            message.extend_from_slice(&chunk);
        }
        let trailers = stream.trailers().await?.context("a gRPC answer has trailers")?;
        let (late, code) = status(&trailers);
        if late != "0" {
            return Ok(Answer::Refused(format!("{late} {code}")));
        }
        if message.len() < 5 || message[0] != 0 {
            bail!("no gRPC message");
        }
        Ok(Answer::Message(message.freeze().slice(5..)))
    }
}
