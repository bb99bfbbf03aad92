import ContinuityAPI
import ContinuityAlerts
package import ContinuityAudit
import ContinuityCore

extension ServerConfiguration {
    /// What this configuration itself gives to people, for an access review.
    package var grants: [AccessGrant] {
        var grants = access.people.map {
            AccessGrant(
                name: $0.name, credential: "certificate", role: $0.role,
                clusters: $0.clusters.map(\.rawValue))
        }
        if access.tls != nil, access.sharedToken != nil {
            grants.append(
                AccessGrant(name: Principal.anybody, credential: "shared token", role: .admin))
        }
        for alert in alerts {
            guard let person = alert.approver?.person else { continue }
            grants.append(
                AccessGrant(name: person, credential: "link of \(alert.name)", role: .operator))
        }
        return grants
    }

    /// Without TLS a name is what somebody says.
    package var namesAreClaimed: Bool { access.tls == nil }
}
