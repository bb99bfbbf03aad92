import ContinuityCrypto
import ContinuityPostgres

/// The configuration files of the demo: what a person would write, with the reasons beside it.
struct DemoFiles: Sendable {
    let layout: DemoLayout
    let profile: DemoOptions.Profile
    /// The folder that holds `policies` and `hooks`.
    let home: String
    /// The absolute path of `continuity`.
    let executable: String

    func write() throws {
        let folder = layout.folder
        try layout.pki.write(layout)
        try folder.write(layout.secrets.webhook + "\n", to: "oncall.whsec", mode: 0o600)
        try folder.write(layout.nameServer.key + "\n", to: "dns.key", mode: 0o600)
        let auditKey = Ed25519.PrivateKey()
        try folder.write(auditKey.pem, to: "audit.key", mode: 0o600)
        try folder.write(auditKey.publicKey.pem, to: "audit.key.pub")
        try layout.nameServer.write(
            nodes: layout.members.map(\.id), primary: layout.members[0].id)
        try folder.write(serve, to: "serve.yaml")
        try folder.write(cluster, to: "cluster.yaml")
        try folder.write(policy, to: "policy.yaml")
        for member in layout.members {
            try folder.write(agent(member), to: "agent-\(member.id).yaml")
        }
    }

    private var serve: String {
        """
        # The orchestrator: continuity serve --config serve.yaml
        # Relative paths start at this file's folder.
        instance_id: demo-1
        listen: \(layout.network.serveHost):\(layout.servePort)

        # TLS 1.3, with certificates on both ends: continuity pki show serve.pem
        tls: {certificate: serve.pem, ca: ca.pem}

        # Who may do what, besides the tokens of 'continuity token'.
        people:
          - {name: demo, role: admin}

        # Every decision, in a hash chain: continuity audit verify --journal journal.sqlite
        journal: journal.sqlite

        # Signs the chain's head, and agents keep what was signed: continuity audit verify
        # --public-key audit.key.pub --witness . Mode 0600.
        audit: {key_file: audit.key, checkpoint_entries: 100, checkpoint_s: 1}

        # How often clusters may move by themselves before a person must look. A demo is all about
        # moving; five within ten minutes, the default, suits a real fleet better.
        brake: {max_failovers: 1000, window_s: 600}

        hooks:
          # Sandbox processes that stand ready for hook calls.
          workers: 2
          packs:
            - \(yaml("\(home)/policies"))
            - \(yaml("\(home)/hooks"))

        clusters:
          - cluster_file: cluster.yaml
            policy_file: policy.yaml

        # What hooks may use without ever holding it, and where alone it may go.
        secrets:
          dns-key: {file: dns.key, bound_to: "\(layout.nameServer.address)"}

        # Where alerts go: CloudEvents, signed after Standard Webhooks, until they are taken.
        alerts:
          - name: \(DemoLayout.alertChannel)
            url: http://127.0.0.1:\(layout.alertPort)/alerts
            secret_file: oncall.whsec

        """
    }

    private var cluster: String {
        var text = """
            # Who belongs to the service, where it stands, and how its agents are reached.
            cluster_id: \(DemoLayout.clusterID)
            name: Demo PostgreSQL
            topology: active_passive
            regions: [region-1, region-2]
            # What peers ask the service when its agent is silent; a stopped server answers none.
            service_probe: postgresql
            nodes:

            """
        for (index, member) in layout.members.enumerated() {
            text += """
                  - node_id: \(member.id)
                    hostname: localhost
                    role: \(index == 0 ? "primary" : "secondary")
                    region: \(member.region)
                    site: \(member.site)
                    priority: 100
                    capacity: 100
                    agent_url: \(member.agentURL)
                    service_address: \(member.postgres.address)
                    # What the DNS record says while this node is the primary.
                    metadata: {dns: \(NameServer.host(member.id))}

                """
        }
        return text
    }

    private var policy: String {
        """
        # When the service moves, and what is asked before and told after.
        policy_id: demo-automatic
        name: Demo failover
        strategy: automatic
        max_failover_time_s: 60
        require_quorum: true
        region_priority: [region-1, region-2]
        site_priority: [site-a, site-b, site-c]
        min_healthy_nodes: 1

        # How fast a silent node is suspected: lan (4 x 250 ms), standard (3 x 1 s), relaxed.
        # A database that dies while its host lives is known at once, whatever stands here.
        detection: {profile: \(profile.rawValue)}

        # The demo repeats its fault; a real service waits some minutes between two failovers.
        cooldown_s: 0
        rpo_s: 5
        rto_s: 3

        # A dead database on a living host: move at once, rather than restart it in place first.
        on_service_failure: failover

        hooks:
          - stage: admit
            pack: replication-lag-guard
            timeout_ms: 1000
            on_failure: abort
            config: {max_lag_ms: 5000}
          - stage: pre_check
            pack: target-ready
            timeout_ms: 1000
            on_failure: abort
          - stage: dns_flip
            pack: dns-rfc2136
            timeout_ms: 8000
            on_failure: continue
            config: {zone: \(NameServer.zone), name: \(NameServer.serviceName), ttl: 5}
            # One record of one zone at one server, signed with a key that the hook never sees.
            grant:
              dns:
                - server: "\(layout.nameServer.address)"
                  zones: [\(NameServer.zone)]
                  records: [\(NameServer.serviceName)]
                  types: [CNAME]
                  tsig: {name: \(NameServer.keyName), secret: dns-key}
          - stage: notify
            pack: notify-oncall
            timeout_ms: 1000
            on_failure: continue
            config: {channel: \(DemoLayout.alertChannel)}
            grant: {notify: [\(DemoLayout.alertChannel)]}

        """
    }

    private func agent(_ member: DemoLayout.Member) -> String {
        let node = member.postgres
        var text = """
            # The agent of \(member.id): continuity agent --config agent-\(member.id).yaml
            cluster_id: \(DemoLayout.clusterID)
            node_id: \(member.id)
            orchestrators: [\(layout.serveURL)]

            # Orders come from holders of a certificate of continuity://serve/… alone.
            # GET /primary and /replica here answer load balancers with 200 or 503.
            listen: \(node.place.host):\(member.agentPort)
            tls:
              certificate: \(yaml(layout.pki.file(member.id)))
              ca: \(yaml(layout.pki.authorityFile))

            # What must survive the agent's own restart: the highest epoch, promises, receipts.
            state_file: \(yaml(layout.folder.file("agent-\(member.id).state")))

            # What the journal's checkpoints, which it keeps as a witness, must be signed with.
            audit_public_key: \(yaml(layout.folder.file("audit.key.pub")))

            # When the agent itself is stopped, nobody holds the lease any more.
            on_shutdown: stop_primary

            service:
              address: \(node.address)
              # The kernel tells the agent of this process's death.
              pid_file: \(yaml(node.pidFile))
              # Every process of the service works in this folder; a fence leaves none alive.
              directory: \(yaml(node.dataDirectory))
              probe_timeout_ms: 1000

            # Argument vectors, run as they stand: there is no shell. {primary_host} and the like
            # are filled in by the agent.
            commands:

            """
        for command in node.agentCommands(executable: executable) {
            text += "  # \(command.comment)\n  \(command.name):\n    argv:\n"
            for argument in command.argv { text += "      - \(yaml(argument))\n" }
            text += "    timeout_ms: \(command.timeoutMs)\n"
        }
        text += "\n# What hooks may be granted to ask for, by name.\nhook_commands:\n"
        for command in node.hookCommands {
            text += "  # \(command.comment)\n  \(command.name):\n    argv:\n"
            for argument in command.argv { text += "      - \(yaml(argument))\n" }
            text += "    timeout_ms: \(command.timeoutMs)\n"
            if command.readsOnly { text += "    reads_only: true\n" }
        }
        return text
    }

    /// A double-quoted YAML scalar.
    private func yaml(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}
