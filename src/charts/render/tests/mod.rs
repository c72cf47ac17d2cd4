//! The renderer as a whole: pictures looked at, pixels judged, hostile input.

mod golden;
mod hostile;
mod pixels;
