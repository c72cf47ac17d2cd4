//! Bodies that a handler leaves before their end, as it refuses them: the connection goes on all the same.
//!
//! The server reads no further while pieces of a body wait for the handler, and does not learn that nobody will take
//! them; the next request of the connection would wait for ever. So what waits is taken when the body is dropped, and
//! the server reads what still comes, and throws it away.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::HttpMessage;
use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::middleware::Next;
use bytes::Bytes;
use futures_util::Stream;

/// Lets the handlers read bodies that may be left unread.
pub(super) async fn leave_unread(
    mut request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    match request.take_payload() {
        payload @ Payload::H1 { .. } => {
            request.set_payload(Payload::Stream { payload: Box::pin(Left(payload)) })
        }
        other => request.set_payload(other),
    }
    next.call(request).await
}

/// A body on its way to a handler.
struct Left(Payload);

impl Stream for Left {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.0).poll_next(context)
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        let mut context = Context::from_waker(std::task::Waker::noop());
        // Only what has arrived: it is bounded, and taking it wakes the server.
        while matches!(Pin::new(&mut self.0).poll_next(&mut context), Poll::Ready(Some(Ok(_)))) {}
    }
}
