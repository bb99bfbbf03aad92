import Testing

@testable import ContinuityCore

@Suite("Text that others wrote")
struct SafeTextTests {
    static let hostile = [
        "\u{1B}[2J\u{1B}]0;pwned\u{7}", "fine\nstatus  ok", "a\rb", "\u{9B}31mred", "\u{202E}evil",
        "\u{2066}x\u{2069}", "\u{0}\u{1}\u{7F}", "a\u{85}b", "a\u{2028}b\u{2029}c", "\u{FEFF}x",
        "a\u{200B}b\u{AD}", "\u{E0041}", "\u{E000}", "\u{3164}", "tab\there",
    ]

    @Test("a line holds no control, mark or line end", arguments: hostile)
    func line(_ text: String) {
        let line = SafeText.line(text)
        #expect(
            line.unicodeScalars.allSatisfy {
                ![.control, .format, .lineSeparator, .paragraphSeparator, .privateUse].contains(
                    $0.properties.generalCategory) && $0.value != 0x3164
            }, "\(line)")
        #expect(line.contains("\\"))
    }

    @Test("plain text stays as it is")
    func plain() {
        for text in ["", "db-1 lags 9000 ms", "Überfällig – 図 🚀 é e\u{301}", "C:\\x"] {
            #expect(SafeText.line(text) == text && SafeText.lines(text) == text)
            #expect(SafeText.json(text) == text)
        }
        #expect(SafeText.line("a\n\u{1B}\u{202E}") == "a\\n\\u{1B}\\u{202E}")
        #expect(SafeText.lines("a\n\t\u{1B}") == "a\n\t\\u{1B}")
        #expect(SafeText.indented("a\nstatus  ok\u{7}", by: "   ") == "a\n   status  ok\\u{7}")
        #expect(SafeText.line("abcdef", countMax: 3) == "abc…")
        #expect(SafeText.line("abc", countMax: 3) == "abc")
    }

    @Test("a document keeps its values")
    func document() throws {
        let value = JSONValue.array(Self.hostile.map { .string($0) })
        let text = SafeText.json(String(decoding: CanonicalJSON.bytes(value), as: UTF8.self))
        #expect(SafeText.lines(text) == text)
        #expect(try JSONValue(parsing: Array(text.utf8)[...]) == value)
    }

    @Test(
        "Markdown has no link, image, code, cell, HTML, heading or address of theirs",
        arguments: [
            "[x](http://evil.test)", "![x](y)", "`code`", "a | b", "a \\| b", "<img src=x>",
            "&lt;b&gt;", "# heading", "- item", "x\n# heading", "https://evil.test",
            "www.evil.test",
            "me@evil.test", "~~x~~", "**x**", "\u{202E}x", "<!-- x -->",
        ])
    func markdown(_ text: String) {
        let safe = SafeText.markdown(text)
        // References are all that is left of what has a meaning.
        let rest = safe.replacing(#/&#[0-9]+;/#, with: "")
        for mark in ["`", "*", "[", "]", "<", ">", "|", "&", "~", "!", "@", "\n", "://", "www."] {
            #expect(!rest.contains(mark), "\(safe)")
        }
        #expect(!["#", "-", "+", "="].contains(safe.prefix(1)) && !safe.contains("\u{202E}"))
    }
}
