/// The way out for texts that others wrote (scripts, packs, agents, people, files), one for each
/// kind of output. What a reader's program would obey (terminal escapes, bidirectional marks, line
/// ends that forge a line, Markdown) becomes visible text. Plain text stays as it is.
package enum SafeText {
    /// For one line of a terminal or a log: no control character is left, nor a line end.
    ///
    /// - Parameter countMax: what is longer is cut there, in characters, and says so.
    package static func line(_ text: String, countMax: Int = .max) -> String {
        let clean = escaped(text) { _ in false }
        guard clean.unicodeScalars.count > countMax else { return clean }
        return String(clean.unicodeScalars.prefix(countMax)) + "…"
    }

    /// For text that is laid out already: line ends and tabs stay.
    package static func lines(_ text: String) -> String {
        escaped(text) { $0 == "\n" || $0 == "\t" }
    }

    /// For a text of several lines within a layout: each line end is followed by `indent`, so that
    /// no line of it can be taken for one of ours.
    package static func indented(_ text: String, by indent: String) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false)
            .map { line(String($0)) }.joined(separator: "\n" + indent)
    }

    /// For a document in JSON, or YAML whose texts stand in double quotes: the same value, spelt
    /// so that a terminal shows it as it is.
    package static func json(_ document: String) -> String {
        guard needsEscape(document) else { return document }
        var output = String.UnicodeScalarView()
        for scalar in document.unicodeScalars {
            guard isUnsafe(scalar), scalar != "\n", scalar != "\t" else {
                output.append(scalar)
                continue
            }
            for unit in String(scalar).utf16 {
                let digits = String(unit, radix: 16)
                let zeros = String(repeating: "0", count: 4 - digits.count)
                output.append(contentsOf: "\\u\(zeros)\(digits)".unicodeScalars)
            }
        }
        return String(output)
    }

    /// For Markdown, also in a cell of a table: text and nothing but text. What could be markup
    /// (links, images, code, HTML, cells, addresses) is written as character references.
    package static func markdown(_ text: String) -> String {
        var output = ""
        for scalar in line(text).unicodeScalars {
            if "\\`*[]<>|&~!@".unicodeScalars.contains(scalar) {
                output += "&#\(scalar.value);"
            } else {
                output.unicodeScalars.append(scalar)
            }
        }
        // Bare addresses become links by themselves; a heading or list begins a line.
        output = output.replacing("://", with: "&#58;//").replacing("www.", with: "www&#46;")
        guard let first = output.unicodeScalars.first, "#-+=:".unicodeScalars.contains(first)
        else { return output }
        return "&#\(first.value);" + output.unicodeScalars.dropFirst().map(String.init).joined()
    }

    // MARK: What is unsafe

    private static func needsEscape(_ text: String) -> Bool {
        !text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F }
    }

    private static func escaped(
        _ text: String, keeping isKept: (Unicode.Scalar) -> Bool
    ) -> String {
        guard needsEscape(text) else { return text }
        var output = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            guard isUnsafe(scalar), !isKept(scalar) else {
                output.append(scalar)
                continue
            }
            let visible =
                switch scalar {
                case "\n": "\\n"
                case "\r": "\\r"
                case "\t": "\\t"
                default: "\\u{" + String(scalar.value, radix: 16, uppercase: true) + "}"
                }
            output.append(contentsOf: visible.unicodeScalars)
        }
        return String(output)
    }

    /// Controls (C0, DEL, C1), format characters (bidirectional marks, joiners, tags), line and
    /// paragraph separators, and letters that show nothing.
    private static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
        if (0x20..<0x7F).contains(scalar.value) { return false }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned:
            return true
        default: return [0x115F, 0x1160, 0x2800, 0x3164, 0xFFA0].contains(scalar.value)
        }
    }
}
