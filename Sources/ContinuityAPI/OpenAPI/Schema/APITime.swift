/// Times as requests carry them: RFC 3339, with a zone.
enum APITime {
    /// UTC milliseconds since 1970, what is below a millisecond cut off; `nil`: it is no such time.
    static func milliseconds(of text: String) -> Int64? {
        guard
            let match = text.wholeMatch(
                of:
                    #/([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?([Zz]|[+\-][0-9]{2}:[0-9]{2})/#
            )
        else { return nil }
        let (_, year, month, day, hour, minute, second, fraction, zone) = match.output
        guard let year = Int64(year), let month = Int64(month), let day = Int64(day),
            let hour = Int64(hour), let minute = Int64(minute), let second = Int64(second),
            (1...12).contains(month), (1...days(in: month, of: year)).contains(day), hour < 24,
            // 60 is a leap second, which counts as the next one.
            minute < 60, second <= 60, let offset = offsetS(zone)
        else { return nil }
        let seconds = (days(before: year, month, day) * 24 + hour) * 3600 + minute * 60 + second
        let digits = (fraction ?? ".0").dropFirst().prefix(3)
        let milliseconds = Int64(digits + String(repeating: "0", count: 3 - digits.count)) ?? 0
        return (seconds - offset) * 1000 + milliseconds
    }

    private static func offsetS(_ zone: Substring) -> Int64? {
        guard zone.count == 6 else { return 0 }
        guard let hours = Int64(zone.dropFirst().prefix(2)), hours < 24,
            let minutes = Int64(zone.suffix(2)), minutes < 60
        else { return nil }
        return (zone.hasPrefix("-") ? -1 : 1) * (hours * 3600 + minutes * 60)
    }

    private static func isLeap(_ year: Int64) -> Bool {
        year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    }

    private static func days(in month: Int64, of year: Int64) -> Int64 {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// From 1970-01-01 on, in the calendar of now.
    private static func days(before year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        let past = year - 1
        let years = year * 365 + past / 4 - past / 100 + past / 400
        let months = (1..<month).reduce(0) { $0 + days(in: $1, of: year) }
        // 719162 days lie between 0001-01-01 and 1970-01-01; 365 are those of the year 0.
        return years - 365 + months + day - 1 - 719_162
    }
}
