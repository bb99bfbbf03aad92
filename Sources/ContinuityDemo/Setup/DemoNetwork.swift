import ContinuityPostgres

/// Where the processes of the demo's cluster stand: all on the loopback interface, or each node in
/// a network namespace of its own.
struct DemoNetwork: Sendable {
    /// One for each node; `nil`: all on the loopback interface.
    var places: [PostgresPlace]?
    var serveHost: String
    /// What `serve` is started with so that it stands at `serveHost`.
    var serveLauncher: [String]

    static let loopback = DemoNetwork(places: nil, serveHost: "127.0.0.1", serveLauncher: [])
}
