import ContinuityCore
import Foundation
import Testing

@testable import ContinuityConfig

@Suite("YAML")
struct YAMLParserTests {
    private func fault(_ text: String) -> ConfigError? {
        do {
            _ = try ConfigReader.parse(text: text, file: "f.yaml").json("a")
            return nil
        } catch {
            return error
        }
    }

    /// Nine levels of ten: a billion values in a few lines.
    static let laughs =
        "a:\n  - &a [x,x,x,x,x,x,x,x,x,x]\n"
        + zip("bcdefghi", "abcdefgh").map { name, other in
            "  - &\(name) [" + repeatElement("*\(other)", count: 10).joined(separator: ",") + "]\n"
        }.joined()

    @Test(
        "aliases and anchors are refused with line and remedy, wherever they stand",
        arguments: [
            (laughs, 2, "'&a' is an anchor"), ("a: *x", 1, "'*x' is an alias"),
            ("b: 1\na: &x 1", 2, "'&x' is an anchor"), ("? *x\n: 1", 1, "'*x' is an alias"),
            ("&k a: 1", 1, "'&k' is an anchor"), ("a: {<<: *x}", 1, "'*x' is an alias"),
            ("a: &x {b: 1}", 1, "'&x' is an anchor"), ("a: [1, *x ]", 1, "'*x' is an alias"),
        ])
    func aliases(text: String, line: Int, message: String) throws {
        let error = try #require(fault(text))
        #expect(error.line == line && error.message.contains(message), "\(error)")
        #expect(error.remedy.contains("write the value out"))
    }

    @Test("what only looks like an alias is text")
    func looksLikeOne() throws {
        let reader = try ConfigReader.parse(
            text: "a: '*x'\nb: x & y * z\nc: |\n  *x &y\n# *x\nd: \"&x\"", file: "f.yaml")
        #expect(try reader.string("a") == "*x")
        #expect(try reader.string("b") == "x & y * z")
        #expect(try reader.string("c") == "*x &y\n")
        #expect(try reader.string("d") == "&x")
    }

    @Test(
        "it is bounded in depth, values and bytes, and says so",
        arguments: [
            ("a: " + String(repeating: "[", count: 200_000), "nesting level"),
            ("a: " + String(repeating: "{a: ", count: 100_000), "nested deeper than"),
            (String(repeating: "- ", count: 100_000), "nested deeper than"),
            (String(repeating: "? ", count: 100_000), "nested deeper than"),
            ("a: [" + String(repeating: "1,", count: 200_000) + "1]", "more than 100000 values"),
            ("a: " + String(repeating: "x", count: 2 << 20), "larger than 1024 KiB"),
            ("? [a, b]\n: 1", "a key is a list or a mapping"), ("? {a: b}\n: 1", "a key is a list"),
            ("a: 1\n---\na: 2", "second document"), ("a: 1\na: 2", "'a' stands more than once"),
            ("\u{E9}: 1\ne\u{301}: 2", "stands more than once"),
        ])
    func bounds(text: String, message: String) throws {
        var error: ConfigError?
        let took = ContinuousClock().measure { error = fault(text) }
        #expect(error?.message.contains(message) == true, "\(error as Any)")
        // A square of these lengths would take minutes.
        #expect(took < .seconds(20), "\(took)")
    }

    @Test("values come as before: numbers, texts, nothing, tags")
    func values() throws {
        let reader = try ConfigReader.parse(
            text: """
                a: {n: 5, s: "5", t: !!str 5, e: ~, f: null, g: , q: 'null', b: true, l: [1, x]}
                """, file: "f.yaml")
        #expect(
            try reader.json("a") == [
                "n": 5, "s": "5", "t": "5", "e": nil, "f": nil, "g": nil, "q": "null", "b": true,
                "l": [1, "x"],
            ])
        for text in ["", "# nothing", "---\n"] {
            #expect(throws: ConfigError.self) { try ConfigReader.parse(text: text, file: "f") }
        }
        let broken = try #require(fault("a: 1\nb: [1"))
        #expect(broken.line != nil && broken.remedy.contains("syntax"), "\(broken)")
        #expect(fault("a: \u{1}")?.remedy.contains("syntax") == true)
    }

    @Test("a pipe, a device or a folder in place of a file does not hold anybody up")
    func files() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "yaml-\(UUID())").path
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let pipe = folder + "/pipe"
        #expect(mkfifo(pipe, 0o600) == 0)
        for file in [pipe, "/dev/zero", folder] {
            #expect(throws: ConfigError.self, "\(file)") {
                try BoundedFile.text(of: file, bytesMax: 100, onlyRegular: true)
            }
        }
        #expect(throws: ConfigError.self) { try ConfigReader.load(file: "/dev/zero") }
        #expect(throws: ConfigError.self) { try ConfigReader.load(file: folder) }
        try "x".write(toFile: folder + "/f", atomically: true, encoding: .utf8)
        #expect(try BoundedFile.text(of: folder + "/f", bytesMax: 1) == "x")
        try "".write(toFile: folder + "/e", atomically: true, encoding: .utf8)
        #expect(try BoundedFile.text(of: folder + "/e", bytesMax: 1) == "")
    }
}
