/// A page in the text format of Prometheus, version 0.0.4.
///
/// <https://prometheus.io/docs/instrumenting/exposition_formats/>
package struct PrometheusText: Sendable {
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    package enum Kind: String, Sendable {
        case counter, gauge
    }

    package struct Sample: Sendable {
        package var labels: KeyValuePairs<String, String>
        package var value: Double

        package init(_ labels: KeyValuePairs<String, String>, _ value: Double) {
            self.labels = labels
            self.value = value
        }

        package init(_ value: Double) { self.init([:], value) }

        package init(_ labels: KeyValuePairs<String, String>, _ isTrue: Bool) {
            self.init(labels, isTrue ? 1 : 0)
        }
    }

    package private(set) var text = ""

    package init() {}

    /// A family without samples is left out.
    package mutating func add(_ name: String, _ kind: Kind, _ help: String, _ samples: [Sample]) {
        guard !samples.isEmpty else { return }
        head(name, kind.rawValue, help)
        for sample in samples { line(name, Array(sample.labels), sample.value) }
    }

    package mutating func add(_ name: String, _ kind: Kind, _ help: String, _ value: Double) {
        add(name, kind, help, [Sample(value)])
    }

    package mutating func add(
        _ name: String, _ help: String,
        _ histograms: [(labels: KeyValuePairs<String, String>, histogram: PrometheusHistogram)]
    ) {
        guard !histograms.isEmpty else { return }
        head(name, "histogram", help)
        for (labels, histogram) in histograms {
            let labels = Array(labels)
            for (bound, count) in histogram.cumulative {
                line(name + "_bucket", labels + [("le", Self.number(bound))], Double(count))
            }
            line(name + "_sum", labels, histogram.sum)
            line(name + "_count", labels, Double(histogram.count))
        }
    }

    private mutating func head(_ name: String, _ type: String, _ help: String) {
        let escaped = help.replacing("\\", with: "\\\\").replacing("\n", with: "\\n")
        text += "# HELP \(name) \(escaped)\n# TYPE \(name) \(type)\n"
    }

    private mutating func line(
        _ name: String, _ labels: [(key: String, value: String)], _ value: Double
    ) {
        text += name
        if !labels.isEmpty {
            let pairs = labels.map { "\($0.key)=\"\(Self.escaped($0.value))\"" }
            text += "{" + pairs.joined(separator: ",") + "}"
        }
        text += " \(Self.number(value))\n"
    }

    private static func escaped(_ value: String) -> String {
        value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
            .replacing("\n", with: "\\n")
    }

    private static func number(_ value: Double) -> String {
        if value == .infinity { return "+Inf" }
        return Int64(exactly: value).map(String.init) ?? "\(value)"
    }
}

/// Counts values by upper bounds.
package struct PrometheusHistogram: Sendable {
    /// Ascending, in seconds.
    private let bounds: [Double]
    private var counts: [Int64]
    package private(set) var sum = 0.0
    package private(set) var count: Int64 = 0

    package init(bounds: [Double]) {
        self.bounds = bounds
        counts = Array(repeating: 0, count: bounds.count)
    }

    package mutating func observe(_ value: Double) {
        sum += value
        count += 1
        if let index = bounds.firstIndex(where: { value <= $0 }) { counts[index] += 1 }
    }

    /// Ends with the bound that everything is below.
    var cumulative: [(bound: Double, count: Int64)] {
        var total: Int64 = 0
        let below = zip(bounds, counts).map { bound, count in
            total += count
            return (bound, total)
        }
        return below + [(.infinity, count)]
    }
}
