//! A QR code on the terminal or as a picture in a file.

use std::path::Path;

use anyhow::Context as _;
use qrcode::render::{svg, unicode};
use qrcode::{EcLevel, QrCode};

use super::Usage;

/// Pixels of a module in a PNG: a phone reads it from a screen or from paper.
const MODULE: usize = 10;

/// Modules of quiet zone on each side (ISO/IEC 18004 wants four).
const QUIET: usize = 4;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Pixels.
    Png,
    /// Shapes.
    Svg,
}

/// How a file of this name is written; wrong usage where its ending says nothing.
pub(super) fn check_ending(path: &Path) -> Result<Form, Usage> {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default().to_ascii_lowercase();
    match ending.as_str() {
        "png" => Ok(Form::Png),
        "svg" => Ok(Form::Svg),
        _ => Err(Usage(format!("`{}`: a QR code is written as .png or .svg; end the name so", path.display()))),
    }
}

/// A text as a QR code.
pub(super) struct Qr(QrCode);

impl Qr {
    /// Encodes it; `Err` when it is longer than a QR code can hold (2,331 bytes at this level of correction).
    pub(super) fn new(text: &str) -> anyhow::Result<Self> {
        let code = QrCode::with_error_correction_level(text, EcLevel::M);
        code.map(Self).context("the text is too long for a QR code")
    }

    /// For a terminal: two modules a character, dark on light whatever the terminal's colours are.
    pub(super) fn on_terminal(&self) -> String {
        let plain = self.0.render::<unicode::Dense1x2>().quiet_zone(true).build();
        plain.lines().fold(String::new(), |drawn, line| drawn + "\u{1b}[30;47m" + line + "\u{1b}[0m\n")
    }

    /// Writes it as the name's ending says: `.png` or `.svg`.
    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let bytes = match check_ending(path)? {
            Form::Png => self.png()?,
            Form::Svg => self.svg().into_bytes(),
        };
        std::fs::write(path, bytes).with_context(|| format!("`{}` cannot be written", path.display()))
    }

    fn svg(&self) -> String {
        self.0.render::<svg::Color<'_>>().quiet_zone(true).min_dimensions(300, 300).build()
    }

    /// One bit a pixel.
    fn png(&self) -> anyhow::Result<Vec<u8>> {
        let modules = self.0.width() + 2 * QUIET;
        let side = modules * MODULE;
        let mut picture = Vec::new();
        let pixels = u32::try_from(side)?;
        let mut encoder = png::Encoder::new(&mut picture, pixels, pixels);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::One);
        let mut lines = Vec::with_capacity(side * side.div_ceil(8));
        for y in 0..side {
            for byte in 0..side.div_ceil(8) {
                let bits = (0..8).map(|bit| u8::from(self.is_light(byte * 8 + bit, y)) << (7 - bit));
                lines.push(bits.sum::<u8>());
            }
        }
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&lines)?;
        writer.finish()?;
        Ok(picture)
    }

    fn is_light(&self, x: usize, y: usize) -> bool {
        let module = |pixel: usize| (pixel / MODULE).checked_sub(QUIET).filter(|module| *module < self.0.width());
        let (Some(x), Some(y)) = (module(x), module(y)) else { return true };
        self.0[(x, y)] == qrcode::Color::Light
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "00020101021143650016com.mercadolibre0130https://mpago.la/pos/123456789050150011203000000005204970053030325802AR63041234";

    /// What somebody else's reader sees in a picture.
    fn read(png: &[u8]) -> String {
        let mut decoder = png::Decoder::new(std::io::Cursor::new(png));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let [width, height] = [info.width, info.height].map(|side| usize::try_from(side).unwrap());
        let mut picture = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| pixels[y * width + x]);
        let grids = picture.detect_grids();
        assert_eq!(grids.len(), 1);
        grids[0].decode().unwrap().1
    }

    #[test]
    fn a_stranger_reads_the_picture() {
        for text in [TEXT, "a", "cobrá $ 1.234,56 ñ"] {
            assert_eq!(read(&Qr::new(text).unwrap().png().unwrap()), text);
        }
    }

    #[test]
    fn a_stranger_reads_the_terminal() {
        let drawn = Qr::new(TEXT).unwrap().on_terminal();
        let lines: Vec<Vec<char>> = drawn
            .lines()
            .map(|line| line.trim_start_matches("\u{1b}[30;47m").trim_end_matches("\u{1b}[0m").chars().collect())
            .collect();
        let (width, height, scale) = (lines[0].len(), lines.len() * 2, 8);
        let dark = |x: usize, y: usize| match lines[y / 2][x] {
            '█' => true,
            '▀' => y.is_multiple_of(2),
            '▄' => !y.is_multiple_of(2),
            _ => false,
        };
        let mut picture = rqrr::PreparedImage::prepare_from_greyscale(width * scale, height * scale, |x, y| {
            if dark(x / scale, y / scale) { 0 } else { 255 }
        });
        assert_eq!(picture.detect_grids()[0].decode().unwrap().1, TEXT);
    }

    #[test]
    fn a_file_is_written_by_its_ending_and_another_ending_is_wrong_usage() {
        let folder = tempfile::tempdir().unwrap();
        let qr = Qr::new(TEXT).unwrap();
        qr.write(&folder.path().join("qr.PNG")).unwrap();
        qr.write(&folder.path().join("qr.svg")).unwrap();
        assert_eq!(read(&std::fs::read(folder.path().join("qr.PNG")).unwrap()), TEXT);
        assert!(std::fs::read_to_string(folder.path().join("qr.svg")).unwrap().contains("<svg"));
        let error = qr.write(&folder.path().join("qr.jpg")).unwrap_err();
        assert!(error.is::<Usage>() && error.to_string().contains(".png or .svg"), "{error}");
        assert!(Qr::new(&"x".repeat(3_000)).is_err(), "too long");
    }
}
