/// Times as people write them: RFC 3339, strictly. Parsers that are kinder take `2026-02-30` for
/// the second of March, and a freeze window then stands on another day than the one that was meant.
package enum RFC3339 {
    package static let remedy =
        "write it after RFC 3339 with a day and time that exist and one time zone, for example "
        + "2026-12-24T00:00:00Z or 2026-12-24T01:00:00+01:00"

    /// UTC milliseconds since 1970; `nil` when the text is no such time. Digits beyond milliseconds
    /// are cut. Second 60, a leap second, counts as the next one.
    package static func utcMs(_ text: String) -> Int64? {
        var reader = Reader(rest: Array(text.utf8)[...])
        guard let year = reader.number(4), reader.take("-"), let month = reader.number(2),
            reader.take("-"), let day = reader.number(2), reader.take("T") || reader.take("t"),
            let hour = reader.number(2), reader.take(":"), let minute = reader.number(2),
            reader.take(":"), let second = reader.number(2), let ms = reader.fraction(),
            let offset = reader.offsetMinutes(), reader.rest.isEmpty,
            (1...12).contains(month), (1...days(year, month)).contains(day),
            hour < 24, minute < 60, second <= 60
        else { return nil }
        let minutes = (dayNumber(year, month, day) * 24 + hour) * 60 + minute - offset
        return (minutes * 60 + second) * 1000 + ms
    }

    /// A time in UTC, with milliseconds. Years beyond 0 to 9999 are written as the nearest time that
    /// the form can hold.
    package static func text(utcMs: Int64) -> String {
        let ms = min(max(utcMs, -62_167_219_200_000), 253_402_300_799_999)
        func pad(_ number: Int64, _ count: Int = 2) -> String {
            let digits = "\(number)"
            return String(repeating: "0", count: max(0, count - digits.count)) + digits
        }
        let (day, inDay) = floored(ms, by: 86_400_000)
        var year = 1970 + floored(day, by: 366).quotient
        while dayNumber(year + 1, 1, 1) <= day { year += 1 }
        while dayNumber(year, 1, 1) > day { year -= 1 }
        var month: Int64 = 1
        while month < 12, dayNumber(year, month + 1, 1) <= day { month += 1 }
        let date = "\(pad(year, 4))-\(pad(month))-\(pad(day - dayNumber(year, month, 1) + 1))"
        let seconds = inDay / 1000
        return "\(date)T\(pad(seconds / 3600)):\(pad(seconds / 60 % 60)):\(pad(seconds % 60))"
            + ".\(pad(inDay % 1000, 3))Z"
    }

    private static func floored(
        _ number: Int64, by divisor: Int64
    ) -> (quotient: Int64, remainder: Int64) {
        let remainder = ((number % divisor) + divisor) % divisor
        return ((number - remainder) / divisor, remainder)
    }

    private static func isLeap(_ year: Int64) -> Bool {
        year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
    }

    private static func days(_ year: Int64, _ month: Int64) -> Int64 {
        switch month {
        case 2: isLeap(year) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days since 1970-01-01.
    private static func dayNumber(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
        // One cycle of the calendar later, so that the year 0 is nothing special.
        let before = year + 399
        let leaps = before / 4 - before / 100 + before / 400 - 477 - 97
        let months = (1..<month).reduce(0) { $0 + days(year, $1) }
        return (year - 1970) * 365 + leaps + months + day - 1
    }

    private struct Reader {
        var rest: ArraySlice<UInt8>

        mutating func take(_ character: Unicode.Scalar) -> Bool {
            guard let first = rest.first, first == UInt8(ascii: character) else { return false }
            rest = rest.dropFirst()
            return true
        }

        private var digit: Int64? {
            rest.first.flatMap { (0x30...0x39).contains($0) ? Int64($0 - 0x30) : nil }
        }

        mutating func number(_ count: Int) -> Int64? {
            var value: Int64 = 0
            for _ in 0..<count {
                guard let digit else { return nil }
                value = value * 10 + digit
                rest = rest.dropFirst()
            }
            return value
        }

        /// Milliseconds.
        mutating func fraction() -> Int64? {
            guard take(".") else { return 0 }
            var value: Int64 = 0
            var count = 0
            while let digit {
                if count < 3 { value = value * 10 + digit }
                count += 1
                rest = rest.dropFirst()
            }
            guard count > 0 else { return nil }
            for _ in min(count, 3)..<3 { value *= 10 }
            return value
        }

        mutating func offsetMinutes() -> Int64? {
            if take("Z") || take("z") { return 0 }
            let isEast = take("+")
            guard isEast || take("-"), let hours = number(2), take(":"), let minutes = number(2),
                hours < 24, minutes < 60
            else { return nil }
            return (isEast ? 1 : -1) * (hours * 60 + minutes)
        }
    }
}
