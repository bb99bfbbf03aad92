package import ContinuityConfig
import ContinuityCore
import ContinuityHTTP
import Foundation

/// What is wrong with a grant, and what to write instead.
package struct GrantFault: Error, Hashable, Sendable {
    package let message: String
    package let remedy: String
}

/// Faults of a grant that show before its first call: every call under such a rule would fail, in
/// earnest as in a drill.
extension CapabilityRules {
    /// - Parameter secrets: those of the server.
    package func fault(with secrets: SecretStore) -> GrantFault? {
        for rule in http {
            if let fault = rule.faultOfAddress ?? rule.faultOfFile { return fault }
            for secret in rule.aws.map({ [$0.accessKeySecret, $0.secretKeySecret] }) ?? []
            where !rule.hosts.contains(where: { secrets.mayGo(secret, to: $0) }) {
                return Self.strayFault(secret, secrets, "the hosts of its own rule")
            }
        }
        for rule in dns {
            guard let key = rule.tsig, !secrets.mayGo(key.secret, to: "http://\(rule.server)")
            else { continue }
            return Self.strayFault(key.secret, secrets, rule.server)
        }
        let hosts = http.flatMap(\.hosts)
        for secret in self.secrets.sorted()
        where !hosts.contains(where: { secrets.mayGo(secret, to: $0) }) {
            return Self.strayFault(secret, secrets, "any host that 'http' grants")
        }
        return nil
    }

    private static func strayFault(
        _ secret: String, _ secrets: SecretStore, _ place: String
    ) -> GrantFault {
        GrantFault(
            message: "the secret '\(secret)' is bound to \(secrets.boundTo(secret) ?? "nothing"), "
                + "not to \(place): every use of it would be denied",
            remedy: "correct 'bound_to' of the secret, or what the grant names")
    }
}

extension HTTPRule {
    /// Host and port of `name`, `name:port`, `*.name`, each with or without a scheme.
    static func destination(_ pattern: String) -> (isWildcard: Bool, endpoint: Endpoint)? {
        var rest = pattern[...]
        var port = 443
        for (scheme, usual) in [("https://", 443), ("http://", 80)] where rest.hasPrefix(scheme) {
            rest = rest.dropFirst(scheme.count)
            port = usual
        }
        let isWildcard = rest.hasPrefix("*.")
        if isWildcard { rest = rest.dropFirst(2) }
        return (try? Endpoint(parsing: String(rest), defaultPort: port)).map { (isWildcard, $0) }
    }

    fileprivate var faultOfAddress: GrantFault? {
        let policy: AddressPolicy = allowPrivate ? .privateToo : .publicOnly
        for host in hosts {
            guard let (isWildcard, endpoint) = Self.destination(host), !isWildcard,
                case .refused? = policy.verdict(literal: endpoint.host)
            else { continue }
            guard case .refused? = AddressPolicy.privateToo.verdict(literal: endpoint.host) else {
                return GrantFault(
                    message: "'\(host)' is an address of this machine or of a private network, and "
                        + "'allow_private' is not true: every request to it would be refused",
                    remedy: "write 'allow_private: true' into a rule of its own, or name another "
                        + "host")
            }
            return GrantFault(
                message: "'\(host)' is an address that no hook may reach (link-local, cloud "
                    + "metadata or not in use)", remedy: "name another host")
        }
        return nil
    }

    fileprivate var faultOfFile: GrantFault? {
        guard let caFile, !FileManager.default.isReadableFile(atPath: caFile) else { return nil }
        return GrantFault(
            message: "'ca_file' \(caFile) cannot be read: every request would fail",
            remedy: "check the path, and who may read it")
    }
}
