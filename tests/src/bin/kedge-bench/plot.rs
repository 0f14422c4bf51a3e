//! Plots of cost against size, both axes logarithmic, as SVG.

use std::fmt::Write;

/// A line of a plot.
pub struct Series {
    pub name: String,
    /// Size and cost; both above 0.
    pub points: Vec<(f64, f64)>,
}

/// A plot of some lines over one another.
pub struct Plot {
    pub title: &'static str,
    pub x: &'static str,
    pub y: &'static str,
    pub series: Vec<Series>,
}

/// Of the picture, and of what is left around its plot, in pixels.
const SIZE: (f64, f64) = (640.0, 360.0);
const MARGIN: (f64, f64) = (70.0, 50.0);
/// Distinct in print and for eyes that tell few colours apart (Okabe and Ito's palette).
const COLOURS: [&str; 4] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];

/// Powers of ten that hold all values.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let low = values.clone().fold(f64::MAX, f64::min).log10().floor();
        let high = values.fold(f64::MIN_POSITIVE, f64::max).log10().ceil();
        Self {
            low,
            high: high.max(low + 1.0),
        }
    }

    /// From 0 to 1.
    fn place(&self, value: f64) -> f64 {
        (value.log10() - self.low) / (self.high - self.low)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        (self.low as i32..=self.high as i32).map(|power| 10f64.powi(power))
    }
}

impl Plot {
    /// The picture.
    pub fn svg(&self) -> String {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let (across, up) = (
            Scale::of(points().map(|point| point.0)),
            Scale::of(points().map(|point| point.1)),
        );
        let (width, height) = (SIZE.0 - 2.0 * MARGIN.0, SIZE.1 - 2.0 * MARGIN.1);
        let x = |value: f64| MARGIN.0 + across.place(value) * width;
        let y = |value: f64| SIZE.1 - MARGIN.1 - up.place(value) * height;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
            SIZE.0, SIZE.1
        );
        let mut line = |text: String| {
            svg.push_str(&text);
            svg.push('\n');
        };
        line(format!(
            "<text x=\"{}\" y=\"20\" text-anchor=\"middle\" font-size=\"14\">{}</text>",
            SIZE.0 / 2.0,
            self.title
        ));
        for tick in across.ticks() {
            let at = x(tick);
            let (top, bottom) = (MARGIN.1, SIZE.1 - MARGIN.1);
            line(format!(
                "<path d=\"M{at:.1} {top}V{bottom}\" stroke=\"#ddd\"/><text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                bottom + 16.0,
                number(tick)
            ));
        }
        for tick in up.ticks() {
            let at = y(tick);
            let (left, right) = (MARGIN.0, SIZE.0 - MARGIN.0);
            line(format!(
                "<path d=\"M{left} {at:.1}H{right}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                left - 6.0,
                at + 4.0,
                number(tick)
            ));
        }
        line(format!(
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            SIZE.0 / 2.0,
            SIZE.1 - 12.0,
            self.x
        ));
        line(format!(
            "<text x=\"16\" y=\"{}\" text-anchor=\"middle\" transform=\"rotate(-90 16 {})\">{}</text>",
            SIZE.1 / 2.0,
            SIZE.1 / 2.0,
            self.y
        ));
        for (i, (series, colour)) in self.series.iter().zip(COLOURS.iter().cycle()).enumerate() {
            let mut path = String::new();
            for (n, (size, cost)) in series.points.iter().enumerate() {
                let step = if n == 0 { 'M' } else { 'L' };
                let _ = write!(path, "{step}{:.1} {:.1}", x(*size), y(*cost));
            }
            line(format!(
                "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>"
            ));
            for (size, cost) in &series.points {
                line(format!(
                    "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
                    x(*size),
                    y(*cost)
                ));
            }
            let at = MARGIN.1 + 16.0 * (i as f64 + 1.0);
            line(format!(
                "<text x=\"{}\" y=\"{at}\" fill=\"{colour}\">{}</text>",
                MARGIN.0 + 8.0,
                series.name
            ));
        }
        svg.push_str("</svg>\n");
        svg
    }
}

fn number(value: f64) -> String {
    if value >= 1.0 {
        format!("{value}")
    } else {
        format!("{value:.4}").trim_end_matches('0').to_string()
    }
}
