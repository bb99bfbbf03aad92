import ArgumentParser

/// A length of time as people write it: `90s`, `30m`, `2h` or `3d`.
struct Span: ExpressibleByArgument {
    let seconds: Int64

    init(seconds: Int64) { self.seconds = seconds }

    var defaultValueDescription: String { "\(seconds)s" }

    init?(argument: String) {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        guard let unit = argument.last.flatMap({ units[$0] }),
            let count = Int64(argument.dropLast()), count >= 0,
            case let (seconds, overflow) = count.multipliedReportingOverflow(by: unit), !overflow
        else { return nil }
        self.seconds = seconds
    }
}
