/// Where in the network a server stands.
package struct PostgresPlace: Hashable, Sendable {
    /// The address that it listens at and is reached by.
    package var host: String
    /// Who may connect over TCP, as a network in CIDR form.
    package var clients: String
    /// What a program is started with so that it stands there: `nsenter --net=…`, say.
    package var launcher: [String]

    package init(host: String, clients: String, launcher: [String]) {
        self.host = host
        self.clients = clients
        self.launcher = launcher
    }

    package static let loopback = PostgresPlace(
        host: "127.0.0.1", clients: "127.0.0.1/32", launcher: [])
}
