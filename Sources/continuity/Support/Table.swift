import ContinuityCore
import Foundation

/// Columns for people.
struct Table {
    private var rows: [[String]]

    init(_ header: String...) { rows = [header] }

    mutating func add(_ cells: String...) { add(cells: cells) }
    /// Cells may hold what others wrote: each becomes one line.
    mutating func add(cells: [String]) { rows.append(cells.map { SafeText.line($0) }) }

    var text: String {
        let widths = (0..<(rows.first?.count ?? 0)).map { column in
            rows.map { $0[column].count }.max() ?? 0
        }
        return rows.map { row in
            zip(row, widths).map { cell, width in
                cell + String(repeating: " ", count: max(0, width - cell.count))
            }
            .joined(separator: "  ").replacing(#/[ ]+$/#, with: "")
        }
        .joined(separator: "\n")
    }
}

/// Prints a value as one line of canonical JSON.
func printJSON(_ value: some Encodable) throws {
    printDocument(String(decoding: try CanonicalJSON.bytes(encoding: value), as: UTF8.self))
}

/// UTC, RFC 3339 with milliseconds.
func timestamp(_ utcMs: Int64) -> String {
    timestamp(Date(timeIntervalSince1970: Double(utcMs) / 1000))
}

func timestamp(_ date: Date) -> String {
    date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
}
