//! Bodies that a handler leaves before their end, as it refuses them, and bodies that stand still.
//!
//! Where one is left, the connection goes on all the same.
//! The server reads no further while pieces of a body wait for the handler, and does not learn that nobody will take
//! them; the next request of the connection would wait for ever. So what waits is taken when the body is dropped, and
//! the server reads what still comes, and throws it away.
//!
//! A caller who sends nothing more, and does not hang up, would keep what was begun for it for ever: after the pause
//! that the settings allow, its body ends with an error.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::middleware::Next;
use actix_web::{HttpMessage, web};
use bytes::Bytes;
use futures_util::Stream;
use tokio::time::{Sleep, sleep};

use crate::app::Service;

/// Lets the handlers read bodies that may be left unread, and no longer wait for than the settings say.
pub(super) async fn leave_unread(
    mut request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let idle_seconds =
        request.app_data::<web::Data<Service>>().map(|service| service.config.server.idle_seconds);
    match request.take_payload() {
        payload @ Payload::H1 { .. } => {
            let body = Arriving { payload, idle_seconds, pause: None };
            request.set_payload(Payload::Stream { payload: Box::pin(body) })
        }
        other => request.set_payload(other),
    }
    next.call(request).await
}

/// A body on its way to a handler.
struct Arriving {
    payload: Payload,
    idle_seconds: Option<u64>,
    /// Ends when no piece has come for too long; none while nobody waits for one.
    pause: Option<Pin<Box<Sleep>>>,
}

impl Stream for Arriving {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let body = &mut *self;
        let piece = Pin::new(&mut body.payload).poll_next(context);
        let Some(seconds) = body.idle_seconds.filter(|_| piece.is_pending()) else {
            body.pause = None;
            return piece;
        };
        let pause = body.pause.get_or_insert_with(|| Box::pin(sleep(Duration::from_secs(seconds))));
        if pause.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        let reason = format!("nothing of it came for {seconds} s (the setting `server.idle_seconds`)");
        Poll::Ready(Some(Err(PayloadError::Io(io::Error::new(io::ErrorKind::TimedOut, reason)))))
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        let mut context = Context::from_waker(std::task::Waker::noop());
        // Only what has arrived: it is bounded, and taking it wakes the server.
        while matches!(Pin::new(&mut self.payload).poll_next(&mut context), Poll::Ready(Some(Ok(_)))) {}
    }
}
