import Foundation
import Testing

@testable import ContinuityBroker

@Suite("Secrets in answers")
struct SecretMatcherTests {
    static let secret = "pl4nted/s3cret+value?&<x>"
    private let matcher = SecretMatcher([
        "token": secret, "short": "a-b-c", "other": "Zz9".repeated(9),
    ])

    private func escaped(_ text: String, _ form: (UInt8) -> String) -> String {
        text.utf8.map(form).joined()
    }

    private static func hex(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }

    private var bytes: [UInt8] { Array(Self.secret.utf8) }

    private var spellings: [(String, String)] {
        let secret = Self.secret
        let base64 = Data(bytes).base64EncodedString()
        let percent = escaped(secret) { "%" + Self.hex($0) }
        let json = secret.replacing("/", with: "\\/")
        return [
            ("as it is", "x=" + secret + ";"),
            ("a combining mark after it", secret + "\u{301}"),
            ("a format character before it", "\u{200B}" + secret),
            ("soft hyphens within", secret.map { "\($0)\u{AD}" }.joined()),
            ("JSON with \\/", json),
            ("JSON, one \\u in capitals", secret.replacing("+", with: "\\u002B")),
            ("JSON, all \\u", escaped(secret) { "\\u00" + Self.hex($0) }),
            ("percent, all", percent),
            ("percent, upper case", percent.uppercased().replacing("%X", with: "%x")),
            (
                "percent, partial and mixed",
                secret.replacing("/", with: "%2f").replacing("+", with: "%2B")
            ),
            ("percent twice", percent.replacing("%", with: "%25")),
            ("percent three times", percent.replacing("%", with: "%2525")),
            ("percent within JSON", "{\"u\":\"" + percent.replacing("%", with: "\\u0025") + "\"}"),
            ("form", secret.replacing("+", with: "%2B").replacing("/", with: "%2F")),
            (
                "hexadecimal, mixed case",
                escaped(secret) {
                    $0 % 2 == 0 ? Self.hex($0).uppercased() : Self.hex($0)
                }
            ),
            ("hexadecimal with colons", bytes.map(Self.hex).joined(separator: ":")),
            ("hexadecimal at an odd place", "f" + bytes.map(Self.hex).joined()),
            ("hexadecimal dump", bytes.map { "0x" + Self.hex($0) }.joined(separator: ", ")),
            ("C escapes", escaped(secret) { "\\x" + Self.hex($0) }),
            ("octal escapes", escaped(secret) { "\\" + String($0, radix: 8) }),
            ("decimal list", "[" + bytes.map { "\($0)" }.joined(separator: ", ") + "]"),
            ("Base64", base64),
            ("Base64 for URLs", base64.replacing("+", with: "-").replacing("/", with: "_")),
            (
                "Base64 with line ends",
                stride(from: 0, to: base64.count, by: 7).map {
                    String(base64.dropFirst($0).prefix(7))
                }.joined(separator: "\r\n")
            ),
            (
                "Base64 with JSON's line ends",
                stride(from: 0, to: base64.count, by: 4).map {
                    String(base64.dropFirst($0).prefix(4))
                }.joined(separator: "\\n")
            ),
            ("Base64 of a longer text", Data(("a:" + secret + "\n").utf8).base64EncodedString()),
            ("Base64 of JSON", Data(("{\"k\":\"" + json + "\"}").utf8).base64EncodedString()),
            ("Base64 in Base64", Data(("k " + base64).utf8).base64EncodedString()),
            (
                "Base64 of hexadecimal",
                Data(bytes.map(Self.hex).joined().utf8).base64EncodedString()
            ),
            (
                "Base64, percent-encoded",
                base64.replacing("+", with: "%2B").replacing("=", with: "%3D")
            ),
            ("Base32", "OBWDI3TUMVSC64ZTMNZGK5BLOZQWY5LFH4TDY6B6"),
            ("HTML", secret.replacing("&", with: "&amp;").replacing("<", with: "&lt;")),
            ("HTML, numbers", escaped(secret) { "&#\($0);" }),
            ("HTML, hexadecimal", escaped(secret) { "&#X" + Self.hex($0) + ";" }),
            ("HTML, names", secret.replacing("/", with: "&sol;").replacing("+", with: "&plus;")),
            ("quoted-printable", escaped(secret) { "=" + Self.hex($0).uppercased() }),
            ("quoted-printable, broken", String(secret.prefix(9)) + "=\r\n" + secret.dropFirst(9)),
            ("another case", secret.uppercased()),
            ("other punctuation", secret.replacing("/", with: "_").replacing("+", with: " ")),
            ("one member each", secret.map { "\"\($0)\"" }.joined(separator: ",")),
            ("UTF-16", secret.map { "\($0)\u{0}" }.joined()),
            ("its first half", String(secret.prefix(13))),
            ("its second half", String(secret.suffix(16))),
            ("a short one, whole", "k: A-B-C."),
        ]
    }

    @Test("every spelling of a secret is known")
    func spelt() {
        for (name, text) in spellings {
            #expect(matcher.secret(in: Array(text.utf8)) != nil, "\(name): \(text)")
        }
    }

    @Test("what is no secret passes")
    func others() {
        let texts = [
            "", "a", "planted", "{\"status\":\"ok\",\"value\":\"s3cret\"}", "pl4nted", "a-b", "abc",
            String(repeating: "The quick brown fox jumps over the lazy dog. ", count: 40),
            Data((0..<3000).map { UInt8(truncatingIfNeeded: $0 &* 131 &+ $0 >> 3) })
                .base64EncodedString(),
            (0..<2000).map { "\($0 * 7919 % 4096)" }.joined(separator: ","),
            "Zz9".repeated(4) + "Z",
        ]
        for text in texts {
            #expect(matcher.secret(in: Array(text.utf8)) == nil, "\(text.prefix(60))")
        }
        #expect(SecretMatcher([:]).secret(in: Array("x".utf8)) == nil)
    }

    @Test("the automaton finds the longest part, against a plain search")
    func automaton() {
        // Over two letters, where parts overlap in every way.
        var state: UInt64 = 7
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        for _ in 0..<2000 {
            let patterns = (0...random(3)).map { index in
                let bytes = (0..<1 + random(9)).map { _ in UInt8(ascii: "a") + UInt8(random(2)) }
                return SubstringAutomaton.Pattern(
                    bytes: bytes, lengthMin: 1 + random(bytes.count), index: index)
            }
            let text = (0..<random(24)).map { _ in UInt8(ascii: "a") + UInt8(random(3)) }
            let isThere = patterns.contains { pattern in
                (0...pattern.bytes.count - pattern.lengthMin).contains { start in
                    let part = pattern.bytes[start..<start + pattern.lengthMin]
                    return text.indices.contains { text[$0...].starts(with: part) }
                }
            }
            let found = SubstringAutomaton(patterns).find(in: text)
            #expect((found != nil) == isThere, "\(patterns) \(text)")
        }
    }

    @Test("its time grows with the answer and no faster")
    func linear() {
        func cost(_ members: Int) -> Duration {
            let text =
                "{"
                + (0..<members).map { "\"m\($0)\":\"v%2f\\u0041\"" }
                .joined(separator: ",") + "}"
            return ContinuousClock().measure { _ = matcher.secret(in: Array(text.utf8)) }
        }
        _ = cost(100)
        let small = (0..<3).map { _ in cost(2_000) }.min() ?? .zero
        let large = (0..<3).map { _ in cost(16_000) }.min() ?? .zero
        // Eight times the size. A square would be 64; what lies between is the machine.
        #expect(large < small * 32, "\(small) \(large)")
    }
}

extension String {
    fileprivate func repeated(_ count: Int) -> String { String(repeating: self, count: count) }
}
