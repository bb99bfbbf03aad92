import ContinuityCore
import ContinuityCrypto
import Foundation
import Glibc
import Testing

/// `continuity pki`, judged by OpenSSL's own programs.
@Suite(.serialized) struct PKITests {
    private func authority() async throws -> (TemporaryFolder, dir: String) {
        let folder = try TemporaryFolder()
        let dir = folder.path + "/pki"
        let made = try await Programs.run("pki", "init", "--dir", dir)
        try #require(made.exitCode == 0, "\(made.errors)")
        return (folder, dir)
    }

    private func mode(_ file: String) throws -> Int? {
        let attributes = try FileManager.default.attributesOfItem(atPath: file)
        return (attributes[.posixPermissions] as? NSNumber)?.intValue
    }

    @Test func opensslAcceptsWhatIsIssued() async throws {
        let (folder, dir) = try await authority()
        let file = folder.path + "/node-1.pem"
        let issued = try await Programs.run(
            "pki", "issue", "--dir", dir, "--agent", "orders/node-1", "--dns", "db1.example",
            "--ip", "127.0.0.1", "--ip", "::1", "--out", file)
        #expect(issued.exitCode == 0, "\(issued.errors)")
        for purpose in ["sslserver", "sslclient"] {
            let verified = try await Tool.openssl(
                "verify", "-x509_strict", "-purpose", purpose, "-CAfile", dir + "/ca.pem", file)
            #expect(verified.exitCode == 0, "\(purpose): \(verified.errors)")
        }
        for (flag, name) in [("-verify_hostname", "db1.example"), ("-verify_ip", "::1")] {
            let verified = try await Tool.openssl(
                "verify", flag, name, "-CAfile", dir + "/ca.pem", file)
            #expect(verified.exitCode == 0, "\(verified.errors)")
        }
        let other = try await Tool.openssl(
            "verify", "-verify_hostname", "db2.example", "-CAfile", dir + "/ca.pem", file)
        #expect(other.exitCode != 0)
        let text = try await Tool.openssl("x509", "-noout", "-text", "-in", file).output
        for expected in [
            "URI:continuity://agent/orders/node-1, DNS:db1.example, IP Address:127.0.0.1",
            "TLS Web Server Authentication, TLS Web Client Authentication", "CA:FALSE",
            "ASN1 OID: prime256v1", "ecdsa-with-SHA256",
        ] { #expect(text.contains(expected), "\(text)") }
        let check = try await Tool.openssl(
            "x509", "-noout", "-text", "-in", dir + "/ca.pem")
        #expect(check.output.contains("CA:TRUE, pathlen:0"))
    }

    @Test func keysAreForTheirOwnerAndNothingIsOverwritten() async throws {
        let (folder, dir) = try await authority()
        let file = folder.path + "/ana.pem"
        let command = ["pki", "issue", "--dir", dir, "--person", "ana", "--out", file]
        #expect(try await Programs.run(command).exitCode == 0)
        #expect(try mode(file) == 0o600)
        #expect(try mode(dir + "/ca-key.pem") == 0o600)
        let before = try Data(contentsOf: URL(fileURLWithPath: file))
        let again = try await Programs.run(command)
        #expect(again.exitCode == 65)
        #expect(again.errors.contains("is there already"))
        #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == before)
        #expect(try await Programs.run("pki", "init", "--dir", dir).exitCode == 65)
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(names.sorted() == ["ana.pem", "pki"], "no temporary file stays behind")
        try FileManager.default.setAttributes(
            [.posixPermissions: 0o644], ofItemAtPath: dir + "/ca-key.pem")
        let open = try await Programs.run(
            "pki", "issue", "--dir", dir, "--person", "ben", "--out", file + "2")
        #expect(open.exitCode == 65)
        #expect(open.errors.contains("can be read by everyone"))
    }

    @Test func aRenewalKeepsNamesAndPinUnlessAskedForANewKey() async throws {
        let (folder, dir) = try await authority()
        let file = folder.path + "/serve.pem"
        _ = try await Programs.run(
            "pki", "issue", "--dir", dir, "--serve", "one", "--ip", "10.0.0.1", "--days", "1",
            "--out", file)
        func shown() async throws -> JSONValue {
            let result = try await Programs.run("pki", "show", "--json", file)
            return try JSONDecoder().decode(JSONValue.self, from: Data(result.output.utf8))
        }
        let first = try await shown()
        #expect(try await Programs.run("pki", "renew", "--dir", dir, file).exitCode == 0)
        let second = try await shown()
        #expect(first["names"] == second["names"])
        #expect(first["pin"] == second["pin"])
        #expect(first["sha256"] != second["sha256"])
        #expect(first["serial"] != second["serial"])
        let years = (second["not_after_ms"]?.int ?? 0) - (first["not_after_ms"]?.int ?? 0)
        #expect(years > 360 * 86_400_000)
        #expect(
            try await Programs.run("pki", "renew", "--new-key", "--dir", dir, file).exitCode == 0)
        #expect(try await shown()["pin"] != second["pin"])
        let verified = try await Tool.openssl("verify", "-CAfile", dir + "/ca.pem", file)
        #expect(verified.exitCode == 0)
    }

    /// Each side would say that the other's certificate is not trusted.
    @Test func aLeafInPlaceOfTheAuthorityIsRefused() async throws {
        let (folder, dir) = try await authority()
        let file = folder.path + "/agent.pem"
        _ = try await Programs.run(
            "pki", "issue", "--dir", dir, "--agent", "orders/node-1", "--out", file)
        let config = try folder.write(
            """
            cluster_id: orders
            node_id: node-1
            orchestrators: [https://127.0.0.1:1]
            tls: {certificate: \(file), ca: \(file)}
            listen: 127.0.0.1:7101
            state_file: \(folder.path)/state.json
            service: {address: "127.0.0.1:5432", pid_file: /tmp/d/p, directory: /tmp/d}
            commands: {status: {argv: [/bin/true]}}
            """, to: "agent.yaml")
        let refused = try await Programs.run("agent", "--config", config, "--check")
        #expect(refused.exitCode == 65)
        #expect(refused.errors.contains("no authority's"), "\(refused.errors)")
        let text = try String(contentsOfFile: config, encoding: .utf8)
        try text.replacing("ca: \(file)", with: "ca: \(dir)/ca.pem")
            .write(toFile: config, atomically: true, encoding: .utf8)
        let good = try await Programs.run("agent", "--config", config, "--check")
        #expect(good.exitCode == 0, "\(good.errors)")
        #expect(good.output.contains("doubt: there is no command 'rejoin'"), "\(good.output)")
    }

    /// Root renews what an agent's user reads.
    @Test func aRenewalKeepsOwnerAndMode() async throws {
        let (folder, dir) = try await authority()
        let file = folder.path + "/agent.pem"
        _ = try await Programs.run(
            "pki", "issue", "--dir", dir, "--agent", "orders/node-1", "--out", file)
        try #require(geteuid() == 0, "this test gives a file away, so it runs as root")
        #expect(chown(file, 65534, 65534) == 0)
        #expect(chmod(file, 0o640) == 0)
        #expect(try await Programs.run("pki", "renew", "--dir", dir, file).exitCode == 0)
        var status = stat()
        #expect(stat(file, &status) == 0)
        #expect(status.st_uid == 65534 && status.st_gid == 65534)
        #expect(status.st_mode & 0o777 == 0o640)
    }

    @Test func showTellsOfThePinThatOpensslComputes() async throws {
        let (folder, dir) = try await authority()
        let file = folder.path + "/x.pem"
        _ = try await Programs.run(
            "pki", "issue", "--dir", dir, "--uri", "spiffe://example/ns/db/sa/agent", "--out", file)
        let spki = folder.path + "/spki.der"
        _ = try await Tool.openssl(
            "pkey", "-in", file, "-pubout", "-outform", "DER", "-out", spki)
        let digest = SHA256.digest(Array(try Data(contentsOf: URL(fileURLWithPath: spki))))
        let shown = try await Programs.run("pki", "show", "--ca", dir + "/ca.pem", file)
        #expect(shown.exitCode == 0)
        #expect(shown.output.contains("sha256/" + Data(digest).base64EncodedString()))
        #expect(shown.output.contains("identity  spiffe://example/ns/db/sa/agent"))
        let (otherFolder, otherDir) = try await authority()
        defer { withExtendedLifetime(otherFolder) {} }
        let foreign = try await Programs.run("pki", "show", "--ca", otherDir + "/ca.pem", file)
        #expect(foreign.exitCode == 1)
    }

    static let badNames: [([String], Int32)] = [
        (["--agent", "orders"], 64), (["--agent", "orders/n 1"], 64),
        (["--person", "ana,URI:continuity://person/root"], 64),
        (["--uri", "continuity://root/x"], 64),
        (["--person", "ana", "--dns", "a.example,URI:continuity://person/root"], 65),
        (["--person", "ana", "--ip", "300.1.1.1"], 65), (["--person", "ana", "--days", "0"], 64),
        (["--person", "a", "--serve", "b"], 64),
    ]

    @Test(arguments: badNames)
    func badNamesAreRefused(_ arguments: [String], _ code: Int32) async throws {
        let (folder, dir) = try await authority()
        let result = try await Programs.run(
            ["pki", "issue", "--dir", dir, "--out", folder.path + "/x.pem"] + arguments)
        #expect(result.exitCode == code, "\(result.errors)")
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/x.pem"))
    }
}
