//! From SVG to PNG, with the fonts that are built in and nothing else.

use super::picture::MAX_SIDE;
use super::text::FONTS;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{self, fontdb};
use std::sync::{Arc, LazyLock};

/// Why an SVG could not be made a PNG.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The text is no SVG.
    #[error("failed to read the picture")]
    ReadSvg(#[source] usvg::Error),
    /// The picture is larger than any that is drawn here.
    #[error("picture of {width}×{height} pixels is too large")]
    TooLarge {
        /// Pixels.
        width: u32,
        /// Pixels.
        height: u32,
    },
    /// The pixels could not be written as PNG.
    #[error("failed to write the picture")]
    WritePng(#[source] png::EncodingError),
}

/// The fonts, read once.
static FONT_DATABASE: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
    let mut database = fontdb::Database::new();
    for font in FONTS {
        database.load_font_source(fontdb::Source::Binary(Arc::new(font)));
    }
    // Whatever family is asked for, this is the one.
    database.set_sans_serif_family("Ubuntu");
    database.set_serif_family("Ubuntu");
    Arc::new(database)
});

/// How SVG is read here: our fonts, no files, no pictures within the picture.
pub(super) fn options() -> usvg::Options<'static> {
    usvg::Options {
        font_family: "Ubuntu".to_owned(),
        fontdb: FONT_DATABASE.clone(),
        image_href_resolver: usvg::ImageHrefResolver {
            resolve_data: Box::new(|_, _, _| None),
            resolve_string: Box::new(|_, _| None),
        },
        font_resolver: usvg::FontResolver {
            select_font: usvg::FontResolver::default_font_selector(),
            // Like the usual one, without a warning for each letter that another font has.
            select_fallback: Box::new(|character, tried, database| {
                let untried = database.faces().filter(|face| !tried.contains(&face.id));
                untried.map(|face| face.id).find(|id| has_character(database, *id, character))
            }),
        },
        ..usvg::Options::default()
    }
}

fn has_character(database: &fontdb::Database, id: fontdb::ID, character: char) -> bool {
    use skrifa::MetadataProvider;
    let has = |font: &[u8], index: u32| {
        skrifa::FontRef::from_index(font, index).is_ok_and(|font| font.charmap().map(character).is_some())
    };
    database.with_face_data(id, has).unwrap_or(false)
}

/// Rasterises an SVG of [`super::to_svg`], `scale` (1 or 2) pixels for each of its own.
pub fn to_png(svg: &str, scale: u32) -> Result<Vec<u8>, RenderError> {
    let tree = usvg::Tree::from_str(svg, &options()).map_err(RenderError::ReadSvg)?;
    let scale = scale.clamp(1, 2);
    let size = tree.size().to_int_size();
    let (width, height) = (size.width(), size.height());
    if width > MAX_SIDE || height > MAX_SIDE {
        return Err(RenderError::TooLarge { width, height });
    }
    let mut pixels =
        Pixmap::new(width * scale, height * scale).ok_or(RenderError::TooLarge { width, height })?;
    let scale = scale as f32;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    encode(&pixels).map_err(RenderError::WritePng)
}

/// Writes pixels without their opacity, which is full everywhere, and without
/// filters: flat colours are smaller so.
fn encode(pixels: &Pixmap) -> Result<Vec<u8>, png::EncodingError> {
    let colors: Vec<u8> =
        pixels.pixels().iter().flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()]).collect();
    let mut encoded = Vec::new();
    let mut encoder = png::Encoder::new(&mut encoded, pixels.width(), pixels.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Balanced);
    encoder.set_filter(png::Filter::NoFilter);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&colors)?;
    writer.finish()?;
    Ok(encoded)
}
