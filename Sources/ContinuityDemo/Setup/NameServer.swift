import ContinuityCrypto
import Foundation

/// A BIND of its own on a loopback port, with one zone that a key may change.
struct NameServer: Sendable {
    static let zone = "demo.test"
    /// The name whose record follows the primary.
    static let serviceName = "db.demo.test"
    static let keyName = "continuity"
    /// Debian's account for BIND, used where this process is root.
    private static let account = "bind"
    private static let program = "/usr/sbin/named"

    let folder: String
    let port: Int
    /// The TSIG key, in Base64.
    let key = Data(randomBytes(32)).base64EncodedString()

    var address: String { "127.0.0.1:\(port)" }

    static func host(_ nodeID: String) -> String { "\(nodeID).\(zone)" }

    /// Runs in the foreground, and never as root.
    var argv: [String] {
        let named = [folder + "/named", "-f", "-c", folder + "/named.conf"]
        guard getuid() == 0 else { return named }
        return [
            "/usr/bin/setpriv", "--reuid", Self.account, "--regid", Self.account,
            "--clear-groups", "--pdeathsig", "TERM", "--",
        ] + named
    }

    /// Writes configuration and zone. The service's record names `primary`.
    ///
    /// - Throws: `DemoFailure` when BIND is not installed.
    func write(nodes: [String], primary: String) throws {
        guard access(Self.program, X_OK) == 0 else {
            throw DemoFailure("\(Self.program) is missing; run scripts/install-dependencies")
        }
        let manager = FileManager.default
        try manager.createDirectory(atPath: folder, withIntermediateDirectories: true)
        // AppArmor confines Debian's named, by its path, to the system's own zones. A copy is
        // another program.
        try manager.copyItem(atPath: Self.program, toPath: folder + "/named")
        try configuration.write(
            toFile: folder + "/named.conf", atomically: true, encoding: .utf8)
        try zone(nodes, primary).write(
            toFile: folder + "/zone.db", atomically: true, encoding: .utf8)
        guard chmod(folder + "/named.conf", 0o600) == 0 else {
            throw DemoFailure("cannot protect \(folder)/named.conf")
        }
        guard getuid() == 0 else { return }
        guard let entry = getpwnam(Self.account) else {
            throw DemoFailure(
                "there is no user '\(Self.account)'; run scripts/install-dependencies")
        }
        for file in ["", "/named.conf", "/zone.db"] {
            guard chown(folder + file, entry.pointee.pw_uid, entry.pointee.pw_gid) == 0 else {
                throw DemoFailure("cannot give \(folder + file) to '\(Self.account)'")
            }
        }
    }

    private var configuration: String {
        """
        options {
            directory "\(folder)";
            listen-on port \(port) { 127.0.0.1; };
            listen-on-v6 { none; };
            pid-file none;
            session-keyfile none;
            lock-file none;
            recursion no;
            dnssec-validation no;
            allow-transfer { none; };
            notify no;
        };
        controls { };
        key "\(Self.keyName)" {
            algorithm hmac-sha256;
            secret "\(key)";
        };
        zone "\(Self.zone)" {
            type primary;
            file "zone.db";
            // The key may change the service's name and nothing else.
            update-policy { grant \(Self.keyName) name \(Self.serviceName). CNAME TXT; };
        };

        """
    }

    private func zone(_ nodes: [String], _ primary: String) -> String {
        var text = """
            $TTL 5
            @ IN SOA ns.\(Self.zone). hostmaster.\(Self.zone). 1 60 60 600 5
            @ IN NS ns.\(Self.zone).
            ns IN A 127.0.0.1
            db IN CNAME \(Self.host(primary)).

            """
        for node in nodes { text += "\(node) IN A 127.0.0.1\n" }
        return text
    }
}
