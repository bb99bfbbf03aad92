import Glibc

/// Where the demo prints. In JSON mode people's lines are left out: standard output then holds
/// one document and nothing else.
struct Console: Sendable {
    let isQuiet: Bool

    func say(_ line: String = "") {
        guard !isQuiet else { return }
        Self.write(line + "\n", to: STDOUT_FILENO)
    }

    func document(_ text: String) { Self.write(text + "\n", to: STDOUT_FILENO) }

    func complain(_ text: String) { Self.write(text + "\n", to: STDERR_FILENO) }

    /// Unbuffered: whoever reads a live timeline through a pipe shall see it live.
    private static func write(_ text: String, to descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 || errno == EINTR else { return }
            rest = rest.dropFirst(max(0, count))
        }
    }
}

/// Columns of text, padded to the widest cell.
struct TextTable {
    let header: [String]
    var rows: [[String]] = []

    var lines: [String] {
        let all = [header] + rows
        let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            let line = zip(row, widths).map { cell, width in
                cell + String(repeating: " ", count: width - cell.count)
            }.joined(separator: "  ")
            return String(line.reversed().drop { $0 == " " }.reversed())
        }
    }
}
