package import ContinuityCore
package import ContinuityCrypto
import Foundation

/// What is wrong with a pack, and in which of its files.
package struct PackError: Error, CustomStringConvertible {
    package let description: String
}

/// The evidence of one run: a folder that somebody with nothing but the public key can check.
///
/// Every document in it follows from `entries.jsonl`, which is a piece of the journal's chain; so a
/// check makes them all again and compares.
package enum AuditPack {
    static let format: Int64 = 1
    static let manifestName = "manifest.json"
    static let signatureName = "manifest.sig"
    private static let fileLimitBytes = 256 << 20

    // MARK: Making

    /// The files of a pack, by name.
    ///
    /// - Throws: ``JournalFault`` when the entries tell no whole run.
    package static func files(
        of entries: [PackEntry], key: AuditKey, digest: ContentDigest
    ) throws -> [String: [UInt8]] {
        var files = try documents(of: entries, digest: digest)
        let manifest = manifest(of: files, entries: entries, keyID: key.key.publicKey.id)
        files[manifestName] = manifest
        let signature = hexString(key.key.sign(manifest))
        files[signatureName] = Array((signature + "\n").utf8)
        return files
    }

    /// - Throws: when the folder exists already or cannot be written.
    package static func write(_ files: [String: [UInt8]], to folder: String) throws {
        guard !FileManager.default.fileExists(atPath: folder) else {
            throw PackError(description: "\(folder): exists already; name a new folder")
        }
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for (name, bytes) in files {
            try Data(bytes).write(to: URL(fileURLWithPath: folder + "/" + name))
        }
    }

    private static func documents(
        of entries: [PackEntry], digest: ContentDigest
    ) throws -> [String: [UInt8]] {
        let story = try RunStory(entries)
        let claims = RunClaim.all(of: story, digest: digest)
        var lines: [UInt8] = []
        for entry in entries {
            lines += try CanonicalJSON.bytes(encoding: entry) + [UInt8(ascii: "\n")]
        }
        let verification = story.verified?.body.verification
        let confidence: JSONValue = [
            "layer": "L22 confidence",
            "score": verification.map { .int($0.confidence) } ?? .null,
            "band": verification.map { .string($0.band.rawValue) } ?? .null,
            "deductions": try JSONValue(encoding: verification?.deductions ?? []),
            "source_seq": story.verified.map { .int($0.seq) } ?? .null,
        ]
        return [
            "README.md": Array(PackReadme.text(story, claims).utf8),
            "entries.jsonl": lines,
            "plan.json": try pretty(story.requested.body.plan),
            "run.json": try pretty(
                JSONValue.object([
                    "requested": try JSONValue(encoding: story.requested.body),
                    "finished": try JSONValue(encoding: story.finished.body),
                    "policy_verdicts": try JSONValue(
                        encoding: story.admitted?.body.verdicts ?? []),
                ])),
            "hooks.json": try pretty(["hook_calls": try JSONValue(encoding: story.hooks)]),
            "approvals.json": try pretty([
                "approvals": try JSONValue(encoding: story.approvals)
            ]),
            "verification.json": try pretty(
                verification.map { try JSONValue(encoding: $0) } ?? .null),
            "L19-citations.json": try pretty([
                "layer": "L19 citations", "figures": try JSONValue(encoding: story.figures),
            ]),
            "L20-verification.json": try pretty([
                "layer": "L20 verification of results against sources",
                "claims": try JSONValue(encoding: claims),
                "holds": .bool(claims.allSatisfy(\.holds)),
            ]),
            "L22-confidence.json": try pretty(confidence),
        ]
    }

    /// L21.
    private static func manifest(
        of files: [String: [UInt8]], entries: [PackEntry], keyID: String
    ) -> [UInt8] {
        let listed = files.sorted { $0.key < $1.key }.map { name, bytes in
            JSONValue.object([
                "name": .string(name), "bytes": .int(Int64(bytes.count)),
                "sha256": .string(sha256(bytes)),
            ])
        }
        let range: JSONValue = [
            "first_seq": .int(entries.first?.seq ?? 0), "last_seq": .int(entries.last?.seq ?? 0),
            "last_hash": .string(entries.last?.hash ?? ""),
        ]
        return CanonicalJSON.bytes([
            "layer": "L21 tamper-evident trail", "format": .int(format),
            "type": "continuity-audit-pack", "key_id": .string(keyID), "journal": range,
            "files": .array(listed),
        ])
    }

    private static func sha256(_ bytes: [UInt8]) -> String { hexString(SHA256.digest(bytes)) }

    private static func pretty(_ value: JSONValue) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value)) + [UInt8(ascii: "\n")]
    }

    private static func pretty(_ value: some Encodable) throws -> [UInt8] {
        try pretty(JSONValue(encoding: value))
    }

    // MARK: Checking

    package struct Verdict: Encodable, Sendable {
        package var ok = true
        package var runID: String
        package var entries: Int
        /// The entry that the journal's own checkpoint in the pack signs; `nil`: there is none.
        package var signedSeq: Int64?
        package var claims: Int
        /// What the run's result claims and its sources do not bear out: the pack is genuine, and
        /// says so itself.
        package var broken: [String]
        package var redacted: Int

        enum CodingKeys: String, CodingKey {
            case ok
            case runID = "run_id"
            case entries
            case signedSeq = "signed_seq"
            case claims, broken, redacted
        }
    }

    /// Checks signature, digests, chain, checkpoint, citations and claims.
    ///
    /// - Throws: ``PackError`` naming the file, and the entry where it is one.
    package static func verify(
        folder: String, keys: [Ed25519.PublicKey], digest: ContentDigest
    ) throws -> Verdict {
        let files = try read(folder)
        let manifest = try checkManifest(files, keys)
        let entries = try entries(in: files)
        do throws(JournalFault) {
            try PackEntry.check(entries, digest: digest)
        } catch {
            throw PackError(description: "entries.jsonl: entry \(error.seq): \(error.reason)")
        }
        let signedSeq = try checkCheckpoints(entries, keys)
        let story = try RunStory(entries)
        try checkCitations(story, entries)
        let claims = RunClaim.all(of: story, digest: digest)
        if manifest["format"]?.int == format {
            for (name, bytes) in try documents(of: entries, digest: digest) {
                guard files[name] == bytes else {
                    throw PackError(
                        description: "\(name): does not follow from entries.jsonl")
                }
            }
        }
        return Verdict(
            runID: story.requested.body.runID.rawValue, entries: entries.count,
            signedSeq: signedSeq, claims: claims.count,
            broken: claims.filter { !$0.holds }.map(\.claim), redacted: story.redacted.count)
    }

    private static func read(_ folder: String) throws -> [String: [UInt8]] {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else {
            throw PackError(description: "\(folder): is no folder that can be read")
        }
        var files: [String: [UInt8]] = [:]
        for name in names {
            let path = folder + "/" + name
            let size = try? FileManager.default.attributesOfItem(atPath: path)[.size] as? NSNumber
            guard (size?.intValue ?? 0) <= fileLimitBytes,
                let data = FileManager.default.contents(atPath: path)
            else { throw PackError(description: "\(name): cannot be read") }
            files[name] = Array(data)
        }
        return files
    }

    private static func checkManifest(
        _ files: [String: [UInt8]], _ keys: [Ed25519.PublicKey]
    ) throws -> JSONValue {
        guard let bytes = files[manifestName], let signature = files[signatureName] else {
            throw PackError(description: "\(manifestName) or \(signatureName) is missing")
        }
        let text = String(decoding: signature, as: UTF8.self)
            .trimmingCharacters(in: .whitespacesAndNewlines)
        guard text.utf8.count + 1 == signature.count, let raw = hexBytes(text),
            keys.contains(where: { $0.isValid(raw, over: bytes) })
        else {
            throw PackError(
                description: "\(signatureName): is not the signature of \(manifestName) by a given "
                    + "key")
        }
        let manifest = try JSONDecoder().decode(JSONValue.self, from: Data(bytes))
        guard manifest["type"]?.string == "continuity-audit-pack" else {
            throw PackError(description: "\(manifestName): is of something else")
        }
        var listed: Set<String> = [manifestName, signatureName]
        for file in manifest["files"]?.array ?? [] {
            let name = file["name"]?.string ?? ""
            listed.insert(name)
            guard let content = files[name] else {
                throw PackError(description: "\(name): is missing")
            }
            guard sha256(content) == file["sha256"]?.string else {
                throw PackError(description: "\(name): was changed")
            }
        }
        if let other = files.keys.sorted().first(where: { !listed.contains($0) }) {
            throw PackError(description: "\(other): does not belong to the pack")
        }
        return manifest
    }

    private static func entries(in files: [String: [UInt8]]) throws -> [PackEntry] {
        let lines = (files["entries.jsonl"] ?? []).split(separator: UInt8(ascii: "\n"))
        return try lines.enumerated().map { index, line in
            do {
                return try JSONDecoder().decode(PackEntry.self, from: Data(line))
            } catch {
                throw PackError(description: "entries.jsonl:\(index + 1): is no entry")
            }
        }
    }

    private static func checkCheckpoints(
        _ entries: [PackEntry], _ keys: [Ed25519.PublicKey]
    ) throws -> Int64? {
        var signed: Int64?
        for entry in entries {
            guard case .checkpointSigned(let checkpoint)? = try entry.content() else { continue }
            let isValid = keys.contains {
                $0.id == checkpoint.keyID
                    && $0.isValid(hexBytes(checkpoint.signature) ?? [], over: checkpoint.message)
            }
            guard isValid, checkpoint.seq == entry.seq - 1, checkpoint.hash == entry.prev else {
                throw PackError(
                    description: "entries.jsonl: entry \(entry.seq): its checkpoint is not signed "
                        + "with a given key")
            }
            signed = checkpoint.seq
        }
        return signed
    }

    /// Each figure once more, by its own pointer: this is what a reader would do by hand.
    private static func checkCitations(_ story: RunStory, _ entries: [PackEntry]) throws {
        for figure in story.figures {
            let entry = entries.first { $0.seq == figure.seq }
            let path = figure.pointer.split(separator: "/").map(String.init)
            let found = try entry.map { try JSONValue(encoding: $0) }?.value(at: path)
            guard found == figure.value else {
                throw PackError(
                    description: "L19-citations.json: '\(figure.name)' is not what entry "
                        + "\(figure.seq) says at \(figure.pointer)")
            }
        }
    }
}

extension JSONValue {
    fileprivate func value(at path: [String]) -> JSONValue? {
        path.reduce(self as JSONValue?) { value, key in
            switch value {
            case .object(let members)?: members[key]
            case .array(let elements)?:
                Int(key).flatMap { elements.indices.contains($0) ? elements[$0] : nil }
            default: nil
            }
        }
    }
}
