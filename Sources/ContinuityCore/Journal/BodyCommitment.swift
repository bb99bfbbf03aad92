/// Binds a body's withholdable values one by one to the digest in its entry's header, so that some
/// of them can be withheld later and the rest is still proven, word for word.
///
/// The committed form of a body is its canonical JSON without ``member``, where each withholdable
/// value is replaced by its kind and a salted digest. The header's `body_sha256` is SHA-256 over
/// ``tag`` and the committed form. Every other byte is committed as it stands, so a body can lose
/// withholdable values and can never gain or change a word.
///
/// The salts stand in the body's first member, ``member``. Without its salt a short value cannot be
/// guessed from its digest, so withholding a value removes its salt.
package enum BodyCommitment {
    package static let member = "_commit"
    /// No body begins with it: a body's own digest is never mistaken for a committed one.
    private static let tag = Array("continuity-body/v2\n".utf8)
    private static let prefix = Array(#"{"_commit":"#.utf8)
    static let saltDigits = 32
    private static let depthMax = 64

    /// One withholdable value of a body.
    package struct Part: Hashable, Sendable {
        /// RFC 6901, into the body.
        package var pointer: String
        /// The name of the member, one of ``Redaction/fields``.
        package var name: String
        /// SHA-256 over salt and value.
        package var sha256: String
        package var isWithheld: Bool
        var salt: String?
        var range: Range<Int>
        var form: Form
    }

    /// What a withheld value still shows: which kind of value it was, so that the body stays
    /// readable for what decodes it.
    enum Form: String {
        case text = #""[redacted]""#
        case list = #"["[redacted]"]"#
        case object = #"{"[redacted]":true}"#

        init?(_ first: UInt8) {
            switch first {
            case UInt8(ascii: "\""): self = .text
            case UInt8(ascii: "["): self = .list
            case UInt8(ascii: "{"): self = .object
            default: return nil
            }
        }

        func isAt(_ bytes: ArraySlice<UInt8>) -> Bool {
            bytes.elementsEqual(rawValue.utf8)
        }
    }

    /// A body with its commitment.
    package struct Sealed {
        package var body: [UInt8]
        package var sha256: String
    }

    /// Whether the body says that it has a commitment; it need not be the right one.
    package static func isCommitted(_ body: some Sequence<UInt8>) -> Bool {
        body.starts(with: prefix)
    }

    /// Adds the salt to a body and gives the digest for its header.
    ///
    /// - Parameters:
    ///   - body: canonical JSON.
    ///   - salt: 32 hexadecimal digits that nobody can guess.
    /// - Returns: `nil` when nothing in the body can be withheld: then its plain digest says all.
    package static func seal(_ body: [UInt8], salt: String, digest: ContentDigest) -> Sealed? {
        precondition(salt.utf8.count == saltDigits)
        guard body.count > 2, body.first == UInt8(ascii: "{"), !body.starts(with: prefix) else {
            return nil
        }
        let sealed =
            Array(#"{"_commit":{"salt":"\#(salt)"},"#.utf8) + body.dropFirst()
        guard let scanned = scan(sealed, digest: digest), !scanned.parts.isEmpty else {
            return nil
        }
        return Sealed(body: sealed, sha256: digest.hex(scanned.committed))
    }

    /// - Returns: the withholdable values of a body that has the committed digest; `nil` when it
    ///   has another one, or no commitment at all.
    package static func parts(
        of body: [UInt8], sha256: String, digest: ContentDigest
    ) -> [Part]? {
        guard let scanned = scan(body, digest: digest),
            digest.hex(scanned.committed) == sha256
        else { return nil }
        return scanned.parts
    }

    /// A body whose `parts` are withheld: their values and their salts are gone.
    ///
    /// - Parameter withheld: the pointers of those to withhold, besides those that are already.
    package static func withholding(
        _ withheld: Set<String>, of parts: [Part], in body: [UInt8]
    ) -> [UInt8] {
        var salts: [String: JSONValue] = [:]
        var digests: [String: JSONValue] = [:]
        var rest: [UInt8] = []
        var copied = commitEnd(body) ?? 0
        for part in parts {
            guard part.isWithheld || withheld.contains(part.pointer) else {
                salts[part.pointer] = .string(part.salt ?? "")
                continue
            }
            digests[part.pointer] = .string(part.sha256)
            rest += body[copied..<part.range.lowerBound]
            rest += Array(part.form.rawValue.utf8)
            copied = part.range.upperBound
        }
        rest += body[copied...]
        let commit: JSONValue = ["salts": .object(salts), "withheld": .object(digests)]
        return prefix + CanonicalJSON.bytes(commit) + rest
    }

    // MARK: Reading

    private struct Scanned {
        var committed: [UInt8]
        var parts: [Part]
    }

    private struct Commit {
        var salt: String?
        var salts: [String: JSONValue] = [:]
        var withheld: [String: JSONValue] = [:]
    }

    /// Where the first member's value ends; `nil`: the body has no commitment.
    private static func commitEnd(_ body: [UInt8]) -> Int? {
        guard body.starts(with: prefix) else { return nil }
        var scanner = ByteScanner(body, at: prefix.count)
        return scanner.skipValue(depth: 0) ? scanner.at : nil
    }

    private static func commit(_ body: [UInt8], end: Int) -> Commit? {
        guard
            let value = try? JSONValue(parsing: body[prefix.count..<end]),
            case .object(let members) = value,
            // One spelling alone: nothing can be hidden in another one.
            CanonicalJSON.bytes(value).elementsEqual(body[prefix.count..<end])
        else { return nil }
        if members.count == 1, let salt = members["salt"]?.string {
            return salt.utf8.count == saltDigits ? Commit(salt: salt) : nil
        }
        guard members.count == 2, case .object(let salts)? = members["salts"],
            case .object(let withheld)? = members["withheld"]
        else { return nil }
        return Commit(salts: salts, withheld: withheld)
    }

    private static func scan(_ body: [UInt8], digest: ContentDigest) -> Scanned? {
        guard let end = commitEnd(body), let commit = commit(body, end: end) else { return nil }
        var walk = Walk(body: body, at: end, commit: commit, digest: digest)
        walk.committed = tag
        walk.committed.append(UInt8(ascii: "{"))
        // The comma after the commitment goes with it.
        if walk.scanner.next == UInt8(ascii: ",") {
            walk.scanner.at += 1
            guard walk.members(pointer: "", depth: 0) else { return nil }
        } else {
            guard walk.scanner.take(UInt8(ascii: "}")) else { return nil }
            walk.committed.append(UInt8(ascii: "}"))
        }
        guard walk.scanner.at == body.count else { return nil }
        // A digest or salt of a value that is not there proves nothing: no room for words there.
        let named = commit.salts.count + commit.withheld.count
        guard commit.salt != nil || named == walk.parts.count else { return nil }
        return Scanned(committed: walk.committed, parts: walk.parts)
    }

    /// Goes through canonical JSON once and writes its committed form.
    private struct Walk {
        var scanner: ByteScanner
        let commit: Commit
        let digest: ContentDigest
        var committed: [UInt8] = []
        var parts: [Part] = []

        init(body: [UInt8], at: Int, commit: Commit, digest: ContentDigest) {
            scanner = ByteScanner(body, at: at)
            self.commit = commit
            self.digest = digest
            committed.reserveCapacity(body.count + 256)
        }

        private mutating func copy(from start: Int) {
            committed += scanner.bytes[start..<scanner.at]
        }

        private mutating func value(pointer: String, depth: Int) -> Bool {
            guard depth <= BodyCommitment.depthMax else { return false }
            let start = scanner.at
            switch scanner.next {
            case UInt8(ascii: "{"):
                scanner.at += 1
                committed.append(UInt8(ascii: "{"))
                if scanner.take(UInt8(ascii: "}")) {
                    committed.append(UInt8(ascii: "}"))
                    return true
                }
                return members(pointer: pointer, depth: depth)
            case UInt8(ascii: "["): return elements(pointer: pointer, depth: depth)
            default:
                guard scanner.skipValue(depth: depth) else { return false }
                copy(from: start)
                return true
            }
        }

        private mutating func elements(pointer: String, depth: Int) -> Bool {
            scanner.at += 1
            committed.append(UInt8(ascii: "["))
            if scanner.take(UInt8(ascii: "]")) {
                committed.append(UInt8(ascii: "]"))
                return true
            }
            var index = 0
            while true {
                guard value(pointer: "\(pointer)/\(index)", depth: depth + 1) else { return false }
                index += 1
                let byte = scanner.next
                scanner.at += 1
                committed.append(byte)
                if byte == UInt8(ascii: "]") { return true }
                guard byte == UInt8(ascii: ",") else { return false }
            }
        }

        /// The members of an object after its brace, up to and with the closing one.
        mutating func members(pointer: String, depth: Int) -> Bool {
            while true {
                let start = scanner.at
                guard let name = scanner.key() else { return false }
                copy(from: start)
                guard member(name, pointer: pointer, depth: depth) else { return false }
                let byte = scanner.next
                scanner.at += 1
                committed.append(byte)
                if byte == UInt8(ascii: "}") { return true }
                guard byte == UInt8(ascii: ",") else { return false }
            }
        }

        private mutating func member(_ raw: ArraySlice<UInt8>, pointer: String, depth: Int) -> Bool
        {
            let start = scanner.at
            // Names with escapes are none of ours and cannot be withheld.
            let name = String(decoding: raw, as: UTF8.self)
            let below = pointer + "/" + Self.escaped(name)
            if Redaction.untouched.contains(name) {
                guard scanner.skipValue(depth: depth + 1) else { return false }
                copy(from: start)
                return true
            }
            guard Redaction.fields.contains(name), let form = Form(scanner.next),
                name != "requested_by" || form == .text
            else { return value(pointer: below, depth: depth + 1) }
            guard scanner.skipValue(depth: depth + 1) else { return false }
            // `""`, `[]` and `{}` say nothing.
            guard scanner.at - start > 2 else {
                copy(from: start)
                return true
            }
            return part(below, name: name, form: form, start..<scanner.at)
        }

        private mutating func part(
            _ pointer: String, name: String, form: Form, _ range: Range<Int>
        ) -> Bool {
            let stated = commit.withheld[pointer]
            if let stated {
                guard let sha256 = stated.string, commit.salts[pointer] == nil,
                    form.isAt(scanner.bytes[range])
                else { return false }
                append(pointer, name, sha256, form, range, salt: nil)
                return true
            }
            guard let salt = salt(of: pointer) else { return false }
            var bytes = Array(salt.utf8)
            bytes.append(UInt8(ascii: "\n"))
            bytes += scanner.bytes[range]
            append(pointer, name, digest.hex(bytes), form, range, salt: salt)
            return true
        }

        private func salt(of pointer: String) -> String? {
            guard let salt = commit.salt else { return commit.salts[pointer]?.string }
            let digits = digest.hex(Array((salt + "\n" + pointer).utf8))
            return String(digits.prefix(BodyCommitment.saltDigits))
        }

        private mutating func append(
            _ pointer: String, _ name: String, _ sha256: String, _ form: Form, _ range: Range<Int>,
            salt: String?
        ) {
            parts.append(
                Part(
                    pointer: pointer, name: name, sha256: sha256, isWithheld: salt == nil,
                    salt: salt, range: range, form: form))
            // As JSON, so that a digest from outside cannot write more than itself.
            var writer = CanonicalWriter(capacity: 128)
            writer.raw(#"{"form":"#)
            writer.append(Array(form.rawValue.utf8))
            writer.raw(#","sha256":"#)
            writer.string(sha256)
            writer.raw("}")
            committed += writer.bytes
        }

        private static func escaped(_ name: String) -> String {
            guard name.utf8.contains(where: { $0 == UInt8(ascii: "~") || $0 == UInt8(ascii: "/") })
            else { return name }
            return name.split(separator: "~", omittingEmptySubsequences: false)
                .joined(separator: "~0")
                .split(separator: "/", omittingEmptySubsequences: false).joined(separator: "~1")
        }
    }
}

/// Steps over JSON without making values of it. Lenient: what it steps over is bound by a digest
/// over its bytes.
private struct ByteScanner {
    let bytes: [UInt8]
    var at: Int

    init(_ bytes: [UInt8], at: Int) {
        self.bytes = bytes
        self.at = at
    }

    /// 0, which stands nowhere in JSON, at the end.
    var next: UInt8 { at < bytes.count ? bytes[at] : 0 }

    mutating func take(_ byte: UInt8) -> Bool {
        guard next == byte else { return false }
        at += 1
        return true
    }

    /// A member's name as it stands between its quotes; the colon after it is taken too.
    mutating func key() -> ArraySlice<UInt8>? {
        let start = at + 1
        guard next == UInt8(ascii: "\""), skipString() else { return nil }
        let name = bytes[start..<at - 1]
        return take(UInt8(ascii: ":")) ? name : nil
    }

    private mutating func skipString() -> Bool {
        at += 1
        while at < bytes.count {
            switch bytes[at] {
            case UInt8(ascii: "\""):
                at += 1
                return true
            case UInt8(ascii: "\\"): at += 2
            default: at += 1
            }
        }
        return false
    }

    /// Steps over one value; containers are counted, not recursed into.
    mutating func skipValue(depth: Int) -> Bool {
        var open: [UInt8] = []
        repeat {
            switch next {
            case UInt8(ascii: "\""): guard skipString() else { return false }
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                open.append(next + 2)
                at += 1
                guard open.count + depth <= 256 else { return false }
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                guard open.popLast() == next else { return false }
                at += 1
            case UInt8(ascii: ","), UInt8(ascii: ":"):
                guard !open.isEmpty else { return false }
                at += 1
            case 0: return false
            default:
                while at < bytes.count, !Self.ends.contains(bytes[at]) { at += 1 }
            }
        } while !open.isEmpty
        return at <= bytes.count
    }

    private static let ends: Set<UInt8> = Set(#","]}:{["#.utf8)
}
