import ContinuityCore
import ContinuityCrypto
import Foundation
import Testing

/// Who may connect to `serve`, tried with the real curl and openssl.
@Suite(.serialized) struct TransportTests {
    @Test func onlyTLS13WithAnAuthoritysCertificateIsSpoken() async throws {
        let server = try await SecureServe()
        try await server.start()
        let old = try await server.curl(
            "admin", server.api + "/status", "--tls-max", "1.2")
        #expect(old.status == 0 && old.exitCode == 35, "\(old)")
        let shown = try await Tool.openssl(
            "s_client", "-connect", "127.0.0.1:\(server.port)", "-CAfile", server.ca, "-cert",
            server.file("admin"), "-key", server.file("admin"), "-verify_return_error", "-brief")
        #expect((shown.output + shown.errors).contains("TLSv1.3"), "\(shown)")
        let tls12 = try await Tool.openssl(
            "s_client", "-connect", "127.0.0.1:\(server.port)", "-CAfile", server.ca, "-tls1_2",
            "-brief")
        #expect(tls12.exitCode != 0)
        let plain = try await Tool.curl(["http://127.0.0.1:\(server.port)/health/live"])
        #expect(plain.exitCode != 0)
        #expect(try await server.curl("admin", server.api + "/status").status == 200)
    }

    @Test func strangersAreRefused() async throws {
        let server = try await SecureServe()
        try await server.start()
        let body = ["--data", "{}"]
        let nobody = try await server.curl(nil, server.api + "/agent/report", body)
        #expect(nobody.status == 401 && nobody.problem == "unauthorized")
        // Another authority's certificate does not get past the handshake.
        let folder = try TemporaryFolder()
        _ = try await Programs.run("pki", "init", "--dir", folder.path + "/pki")
        _ = try await Programs.run(
            "pki", "issue", "--dir", folder.path + "/pki", "--agent", "orders/node-1", "--out",
            server.file("foreign"))
        let foreign = try await server.curl("foreign", server.api + "/agent/report", body)
        #expect(foreign.status == 0 && foreign.exitCode != 0, "\(foreign)")
        // Nor does one that has ended.
        let now = Int64(Date().timeIntervalSince1970)
        let authority = try CertificateAuthority(
            certificate: Certificate.all(inPEM: KeyFile.read(server.ca))[0],
            key: PrivateKey(pem: KeyFile.read(server.folder.path + "/pki/ca-key.pem")))
        let key = try PrivateKey.generate()
        let ended = try authority.issue(
            names: [.uri("continuity://agent/orders/node-1")], for: key,
            validity: (now - 7200)..<(now - 3600))
        try KeyFile.write(key.pem() + ended.pem(), to: server.file("ended"), replacing: false)
        let expired = try await server.curl("ended", server.api + "/agent/report", body)
        #expect(expired.status == 0 && expired.exitCode != 0, "\(expired)")
        // An authority's own certificate is no client's.
        let misuse = try await Tool.curl([
            "--cacert", server.ca, "--cert", server.ca, "--key",
            server.folder.path + "/pki/ca-key.pem", server.api + "/status",
        ])
        #expect(misuse.exitCode != 0 || misuse.output.contains("wrong-identity"), "\(misuse)")
    }

    @Test func anIdentityReachesWhatIsItsOwnAlone() async throws {
        let server = try await SecureServe()
        try await server.start()
        let own = try await server.report("node-1")
        #expect(own.status == 200, "\(own)")
        let others = try await server.report("node-1", as: "node-2", sequence: 2)
        #expect(others.status == 403 && others.problem == "wrong-identity")
        let person = try await server.report("node-1", as: "admin", sequence: 3)
        #expect(person.status == 403 && person.problem == "forbidden")
        let agent = try await server.curl("node-1", server.api + "/status")
        #expect(agent.status == 403, "\(agent)")
        for (name, uri) in [
            ("ghost", "continuity://person/ghost"), ("spiffe", "spiffe://example/agent"),
            ("alien", "continuity://agent/orders/node-9"),
        ] {
            try await server.pki("issue", "--uri", uri, "--out", server.file(name))
            let answer = try await server.report("node-1", as: name, sequence: 4)
            #expect(answer.status == 403 && answer.problem == "unknown-identity", "\(answer)")
        }
    }

    @Test func aPinnedNodeMustHaveThatKey() async throws {
        let server = try await SecureServe()
        let shown = try await Programs.run("pki", "show", "--json", server.file("node-1"))
        let pin = try JSONDecoder().decode(JSONValue.self, from: Data(shown.output.utf8))["pin"]
        var text = try String(
            contentsOfFile: server.folder.path + "/serve.yaml", encoding: .utf8)
        text += "agents: [{node: orders/node-1, pins: [\"\(pin?.string ?? "")\"]}]\n"
        try server.folder.write(text, to: "serve.yaml")
        try await server.start()
        #expect(try await server.report("node-1").status == 200)
        // The same names, of the same authority, with another key.
        try await server.pki(
            "issue", "--agent", "orders/node-1", "--out", server.file("double"))
        let double = try await server.report("node-1", as: "double", sequence: 2)
        #expect(double.status == 403 && double.problem == "pin-mismatch", "\(double)")
        // A renewal keeps the key.
        try await server.pki("renew", server.file("node-1"))
        #expect(try await server.report("node-1", sequence: 3).status == 200)
    }

    @Test func newFilesAreTakenForNewConnectionsWithoutARestart() async throws {
        let server = try await SecureServe()
        try await server.start()
        func serial() async throws -> String {
            let shown = try await Tool.openssl(
                "s_client", "-connect", "127.0.0.1:\(server.port)", "-CAfile", server.ca,
                "-showcerts")
            let folder = server.folder
            try folder.write(shown.output, to: "shown.txt")
            return try await Tool.openssl(
                "x509", "-noout", "-serial", "-in", folder.path + "/shown.txt"
            ).output
        }
        let before = try await serial()
        try await server.pki("renew", "--new-key", server.file("serve"))
        let after = try await serial()
        #expect(before.contains("serial=") && after.contains("serial=") && before != after)
        #expect(server.log.contains("new certificates are in force"))
        // What cannot be used leaves the last good ones in force.
        try server.folder.write("no certificate", to: "serve.pem", mode: 0o600)
        #expect(try await serial() == after)
        #expect(server.log.contains("the old ones stay in force"))
    }
}
