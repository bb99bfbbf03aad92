import ContinuityConfig
import Testing

@testable import ContinuityCore

@Suite("Endpoints")
struct EndpointTests {
    @Test(
        "hosts and ports in all forms",
        arguments: [
            ("db-1:5432", "db-1", 5432), ("10.0.0.1:1", "10.0.0.1", 1),
            ("[fd00::1]:65535", "fd00::1", 65535), ("[::1]:27100", "::1", 27100),
            ("[FD00::A]:5", "fd00::a", 5), ("a_b.example.org.:80", "a_b.example.org.", 80),
            ("[::ffff:10.0.0.1]:9", "::ffff:10.0.0.1", 9),
            ("[1:2:3:4:5:6:7:8]:9", "1:2:3:4:5:6:7:8", 9),
            ("[::]:27100", "::", 27100),
        ])
    func good(text: String, host: String, port: Int) throws {
        let endpoint = try Endpoint(parsing: text)
        #expect(endpoint == Endpoint(host: host, port: port))
        #expect(Endpoint(endpoint.description) == endpoint)
    }

    @Test(
        "what is none is refused with what to write instead",
        arguments: [
            ("127.0.0.1", "has no port", "127.0.0.1:PORT"), ("host:", "is no port", "from 1 to"),
            ("host:70000", "is no port", "from 1 to 65535"), ("host:0", "is no port", "from 1"),
            ("host:+80", "is no port", "from"), ("host:８０", "is no port", "from"),
            (":5432", "no host name", "write host:port"), ("", "empty", "write host:port"),
            ("postgres://u@db-1:5432/x", "is a URL", "write db-1:5432"),
            ("http://db-1/", "is a URL", "write host:port"),
            ("http://[fd00::1]:80/x", "is a URL", "write [fd00::1]:80"),
            ("::1:27100", "without brackets", "write [::1]:27100"),
            ("fd00::1", "has no port", "[fd00::1]:PORT"),
            ("a:b:1", "more than one colon", "write host:port"),
            ("[fd00::1", "']' is missing", "host:port"),
            ("[fd00::1]5", "follows the address", "host:port"),
            ("[db-1]:5", "no IPv6 address", "host:port"),
            ("-oProxyCommand=x:22", "no host name", "host:port"),
            ("a b:1", "no host name", "host:port"),
            ("127.1:80", "no host name", "host:port"), ("0x7f.1:80", "no host name", "host:port"),
            ("1.2.3.04:80", "no host name", "host:port"), ("a..b:1", "no host name", "host:port"),
            ("a\u{0}b:1", "no host name", "host:port"),
            ("[fe80::1%eth0]:1", "no IPv6", "host:port"),
            ("[1::2::3]:1", "no IPv6", "host:port"), ("[12345::]:1", "no IPv6", "host:port"),
            ("[1:2:3:4:5:6:7:8:9]:1", "no IPv6", "host:port"), ("[:]:1", "no IPv6", "host:port"),
        ])
    func bad(text: String, message: String, remedy: String) {
        do {
            let endpoint = try Endpoint(parsing: text)
            Issue.record("taken as \(endpoint)")
        } catch {
            #expect(error.message.contains(message) && error.remedy.contains(remedy), "\(error)")
        }
        #expect(Endpoint(text) == nil)
    }

    @Test("loopback is an address of it, not a name that looks like one")
    func loopback() {
        for (text, isLoopback) in [
            ("127.0.0.1:1", true), ("127.9.9.9:1", true), ("localhost:1", true), ("[::1]:1", true),
            ("127.evil.example:1", false), ("10.0.0.1:1", false), ("[::]:1", false),
        ] { #expect(Endpoint(text)?.isLoopback == isLoopback, "\(text)") }
    }

    @Test(
        "a base URL is scheme, host and port",
        arguments: [
            ("https://", false), ("https://h:1", true), ("http://[::1]:80/", true),
            ("ftp://h:1", false), ("h:1", false), ("http://u@h:1", false), ("http://h:1/x", false),
            ("http://h:1?x", false), ("http://h:70000", false), ("http://:1", false),
            ("http://::1:80", false), ("http://h", true),
        ])
    func baseURL(text: String, isGood: Bool) {
        #expect(((try? BaseURL(parsing: text)) != nil) == isGood)
    }

    private func cluster(_ first: String, _ second: String = "") throws(ConfigError) -> Cluster {
        try ClusterFile.read(
            ConfigReader.parse(
                text: """
                    cluster_id: demo
                    nodes:
                      - {node_id: a, role: primary, \(first)}
                      - {node_id: b, role: secondary, \(second)}
                    """, file: "c.yaml"))
    }

    @Test(
        "a cluster's addresses are checked where they stand, and no two nodes share one",
        arguments: [
            ("service_address: 127.0.0.1", "", 3, "has no port"),
            ("", "service_address: 'h:70000'", 4, "is no port"),
            ("service_address: 'postgres://h:5432/db'", "", 3, "it is a URL; write h:5432"),
            ("service_address: 'fd00::1'", "", 3, "write [fd00::1]:PORT"),
            ("agent_url: 'https://'", "", 3, "is empty"),
            ("agent_url: 'h:1'", "", 3, "does not begin with http://"),
            ("agent_url: 'http://h:1/v1'", "", 3, "has a path"),
            ("service_address: 'h:1'", "service_address: 'h:1'", 4, "which 'a' has"),
            ("service_address: '[::1]:1'", "service_address: '[::1]:1'", 4, "which 'a' has"),
            ("agent_url: 'http://h'", "agent_url: 'http://h:80/'", 4, "which 'a' has"),
        ])
    func clusters(first: String, second: String, line: Int, message: String) {
        do {
            _ = try cluster(first, second)
            Issue.record("taken")
        } catch {
            #expect(error.line == line && "\(error)".contains(message), "\(error)")
        }
    }

    @Test("good addresses stay")
    func goodCluster() throws {
        let cluster = try cluster(
            "service_address: '[FD00::1]:5432', agent_url: 'https://[fd00::1]:27100/'",
            "service_address: 'h:5432', agent_url: 'https://h:27100'")
        #expect(cluster.nodes.map(\.serviceAddress) == ["[fd00::1]:5432", "h:5432"])
        #expect(cluster.nodes.map(\.agentURL) == ["https://[fd00::1]:27100", "https://h:27100"])
    }

    @Test(
        "grants take all forms of addresses and no others",
        arguments: [
            (
                "http: [{hosts: ['[fd00::1]:9093', '*.example.net', 'http://10.0.0.5:1'], paths: [/*]}]",
                ""
            ),
            ("http: [{hosts: ['fd00::1'], paths: [/*]}]", "write [fd00::1]"),
            ("http: [{hosts: ['h:70000'], paths: [/*]}]", "is no port"),
            ("http: [{hosts: ['ftp://h'], paths: [/*]}]", "it is a URL"),
            ("http: [{hosts: ['h/x'], paths: [/*]}]", "no host name"),
            ("dns: [{server: '[::1]:5353', zones: [a.test], records: ['*']}]", ""),
            ("dns: [{server: '::1', zones: [a.test], records: ['*']}]", ""),
            ("dns: [{server: 'h:x', zones: [a.test], records: ['*']}]", "is no port"),
            ("haproxy: [{address: '[::1]:9999', commands: [show]}]", ""),
            ("haproxy: [{address: /run/haproxy.sock, commands: [show]}]", ""),
            ("haproxy: [{address: '10.0.0.1', commands: [show]}]", "has no port"),
        ])
    func grants(text: String, message: String) throws {
        let reader = try ConfigReader.parse(text: text, file: "g.yaml")
        do {
            let rules = try CapabilityRules(reading: reader, author: .grant)
            #expect(message.isEmpty)
            if text.contains("'::1'") { #expect(rules.dns[0].server == "[::1]:53") }
        } catch {
            #expect(!message.isEmpty && error.line == 1 && "\(error)".contains(message), "\(error)")
        }
    }

    @Test("an answer counts only for its own order")
    func answers() {
        let command = AgentCommand(
            key: "run-1/k", clusterID: "c", nodeID: "a", epoch: 3, name: .fence, timeoutMs: 1)
        func result(_ key: OperationKey, _ node: NodeID?, _ epoch: Int64 = 3) -> CommandResult {
            CommandResult(
                key: key, outcome: .succeeded,
                receipt: node.map {
                    FenceReceipt(
                        nodeID: $0, bootID: "b", epoch: epoch, method: "command", processesKilled: 0
                    )
                })
        }
        #expect(result("run-1/k", nil).mismatch(with: command) == nil)
        #expect(result("run-1/k", "a").mismatch(with: command) == nil)
        #expect(result("run-1/j", nil).mismatch(with: command)?.contains("another order") == true)
        #expect(result("run-1/k", "b").mismatch(with: command)?.contains("another node") == true)
        #expect(result("run-1/k", "a", 2).mismatch(with: command)?.contains("epoch") == true)
    }
}
