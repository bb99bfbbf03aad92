// swift-tools-version: 6.2
import PackageDescription

// One set of rules for every Swift target: complete concurrency checking, explicit existentials
// and import visibility, and no warning survives.
let swiftRules: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]
let cRules: [CSetting] = [
    .unsafeFlags(["-Wall", "-Wextra", "-Werror"]),
    .define("_GNU_SOURCE"),
]

let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdTLS = Target.Dependency.product(name: "HummingbirdTLS", package: "hummingbird")
let lifecycle = Target.Dependency.product(
    name: "ServiceLifecycle", package: "swift-service-lifecycle")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let signals = Target.Dependency.product(
    name: "UnixSignals", package: "swift-service-lifecycle")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")
// Subprocess names paths with its types.
let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

let package = Package(
    name: "continuity",
    products: [
        .executable(name: "continuity", targets: ["continuity"]),
        .executable(name: "continuity-agent", targets: ["continuity-agent"]),
        .executable(name: "continuity-agent-guard", targets: ["AgentGuard"]),
        .executable(name: "continuity-hook-sandbox", targets: ["HookSandbox"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(
            url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1",
            traits: ["FullFoundation"]),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2"),
    ],
    targets: [
        // The pure core: it imports no module of ours and touches nothing outside itself.
        .target(name: "ContinuityCore", swiftSettings: swiftRules),

        // What a node decides, as values: the agent and the simulation use the same.
        .target(
            name: "ContinuityNode", dependencies: ["ContinuityCore"], swiftSettings: swiftRules),

        // C seams: thin wrappers, one owner each.
        .systemLibrary(
            name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .target(name: "CLinux", cSettings: cRules),
        .target(name: "CBuildInfo", cSettings: cRules),
        .systemLibrary(name: "CLua", pkgConfig: "lua5.4", providers: [.apt(["liblua5.4-dev"])]),
        .systemLibrary(
            name: "CJansson", pkgConfig: "jansson", providers: [.apt(["libjansson-dev"])]),
        .systemLibrary(
            name: "CSeccomp", pkgConfig: "libseccomp", providers: [.apt(["libseccomp-dev"])]),

        // Adapters at the edge.
        .target(
            name: "ContinuityConfig", dependencies: ["ContinuityCore", yams],
            swiftSettings: swiftRules),
        .target(
            name: "ContinuityCrypto", dependencies: ["ContinuityCore", "COpenSSL"],
            swiftSettings: swiftRules),
        .target(
            name: "ContinuityAudit",
            dependencies: ["ContinuityCore", "ContinuityConfig", "ContinuityCrypto"],
            swiftSettings: swiftRules),
        .target(
            name: "ContinuityHTTP", dependencies: ["CCurl"], swiftSettings: swiftRules),
        .target(
            name: "ContinuityStore",
            dependencies: [
                "ContinuityCore", .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ],
            swiftSettings: swiftRules),
        .target(
            name: "ContinuityAlerts",
            dependencies: [
                "ContinuityCore", "ContinuityConfig", "ContinuityCrypto", "ContinuityHTTP",
                lifecycle, logging,
            ],
            swiftSettings: swiftRules),
        .executableTarget(
            name: "HookSandbox", dependencies: ["CLua", "CJansson", "CSeccomp"],
            cSettings: cRules),
        .executableTarget(
            name: "AgentGuard", dependencies: ["CLinux"], cSettings: cRules),
        .target(
            name: "ContinuityHooks",
            dependencies: [
                "ContinuityCore", "ContinuityConfig", "ContinuityCrypto", "CLinux", logging,
            ],
            swiftSettings: swiftRules),
        .target(
            name: "ContinuityBroker",
            dependencies: [
                "ContinuityCore", "ContinuityConfig", "ContinuityHTTP", "ContinuityHooks", "CLinux",
                subprocess, system,
            ],
            swiftSettings: swiftRules),
        // What the servers of `serve` and of the agents share: TLS, its bounds, and who is there.
        .target(
            name: "ContinuityTransport",
            dependencies: [
                "ContinuityCore", "ContinuityConfig", "ContinuityCrypto", "CBuildInfo", hummingbird,
                hummingbirdTLS, logging,
            ],
            swiftSettings: swiftRules),
        .target(
            name: "ContinuityAPI",
            dependencies: [
                "ContinuityCore", "ContinuityConfig", "ContinuityCrypto", "ContinuityTransport",
                hummingbird, lifecycle, logging,
            ],
            swiftSettings: swiftRules),
        .target(
            name: "ContinuityAgent",
            dependencies: [
                "ContinuityCore", "ContinuityConfig", "ContinuityCrypto", "ContinuityHTTP",
                "ContinuityTransport", "ContinuityNode", "CLinux", hummingbird, lifecycle, logging,
                subprocess,
            ],
            swiftSettings: swiftRules),

        // The composition root and what is built on it.
        .target(
            name: "ContinuityServer",
            dependencies: [
                "ContinuityCore", "ContinuityConfig", "ContinuityCrypto", "ContinuityHTTP",
                "ContinuityStore", "ContinuityAlerts", "ContinuityHooks", "ContinuityAPI",
                "ContinuityBroker", "ContinuityAudit", "ContinuityTransport", "CLinux", lifecycle,
                logging, signals,
            ],
            swiftSettings: swiftRules),
        .target(
            name: "ContinuitySimulation",
            dependencies: ["ContinuityCore", "ContinuityNode", "ContinuityCrypto"],
            swiftSettings: swiftRules),
        .target(
            name: "ContinuityPostgres", dependencies: [subprocess, system],
            swiftSettings: swiftRules),
        .target(
            name: "ContinuityDemo",
            dependencies: [
                "ContinuityCore", "ContinuityCrypto", "ContinuityHTTP", "ContinuityAlerts",
                "ContinuityPostgres", hummingbird, logging, signals, subprocess, system,
            ],
            swiftSettings: swiftRules),
        // What the two programs share: the agent's commands, logs, exit codes.
        .target(
            name: "ContinuityCommandLine",
            dependencies: [
                "ContinuityAgent", "ContinuityConfig", "ContinuityCore", "ContinuityPostgres",
                "ContinuityTransport", lifecycle, logging, signals,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: swiftRules),
        .executableTarget(
            name: "continuity-agent",
            dependencies: [
                "ContinuityCommandLine",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: swiftRules),
        .executableTarget(
            name: "continuity",
            dependencies: [
                "ContinuityCommandLine", "ContinuityServer", "ContinuityDemo",
                "ContinuityStore", "ContinuityConfig", "ContinuityCore", "ContinuityCrypto",
                "ContinuityHTTP", "ContinuityHooks", "ContinuitySimulation", "ContinuityAPI",
                "ContinuityAudit", lifecycle, logging, signals, subprocess, system,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: swiftRules),
        .executableTarget(
            name: "continuity-benchmarks",
            dependencies: [
                "ContinuityCore", "ContinuityCrypto", "ContinuityHooks", "ContinuityStore",
                "HookSandbox", logging, subprocess, system,
            ],
            path: "Benchmarks", swiftSettings: swiftRules),
        .testTarget(
            name: "CoreTests",
            dependencies: ["ContinuityCore", "ContinuityCrypto", "ContinuityConfig"],
            swiftSettings: swiftRules),
        .testTarget(
            name: "SimulationTests",
            dependencies: ["ContinuitySimulation", "ContinuityCore", "ContinuityConfig"],
            exclude: ["Scenarios"], swiftSettings: swiftRules),
        .testTarget(
            name: "StoreTests",
            dependencies: ["ContinuityStore", "ContinuityCore", "ContinuityCrypto"],
            swiftSettings: swiftRules),
        .testTarget(
            name: "ServerTests",
            dependencies: [
                "ContinuityServer", "ContinuityAPI", "ContinuityAudit", "ContinuityCore",
                "ContinuityCrypto", "ContinuityStore", logging,
            ],
            swiftSettings: swiftRules),
        .testTarget(
            name: "IntegrationTests",
            dependencies: [
                "continuity", "continuity-agent", "HookSandbox", "ContinuityCore",
                "ContinuityStore",
                "ContinuityAPI", "ContinuityPostgres", "ContinuityCrypto", "ContinuityAlerts",
                "ContinuityAudit", "ContinuityHTTP", "ContinuityDemo", hummingbird, lifecycle,
                logging, subprocess, system,
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: swiftRules),
        .testTarget(
            name: "HTTPTests",
            dependencies: [
                "ContinuityHTTP", "ContinuityCrypto", "ContinuityAlerts", "ContinuityCore",
                "ContinuityConfig", hummingbird, lifecycle, logging,
            ],
            swiftSettings: swiftRules),
        .testTarget(
            name: "HooksTests",
            dependencies: [
                "ContinuityHooks", "ContinuityConfig", "ContinuityCore", "HookSandbox", logging,
            ],
            exclude: ["Attacks"],
            swiftSettings: swiftRules),
        .testTarget(
            name: "BrokerTests",
            dependencies: [
                "ContinuityBroker", "ContinuityHooks", "ContinuityConfig", "ContinuityCore",
                "ContinuityHTTP", "ContinuityCrypto", "ContinuityDemo", "HookSandbox",
                hummingbird, lifecycle,
                logging, subprocess, system,
            ],
            swiftSettings: swiftRules),
        .testTarget(
            name: "AgentTests",
            dependencies: [
                "ContinuityAgent", "AgentGuard", "ContinuityCore", "ContinuityNode",
                "ContinuityConfig",
                "ContinuityPostgres", "ContinuityCrypto", "ContinuityHTTP", "ContinuityTransport",
                "CLinux",
                hummingbird, lifecycle, logging,
            ],
            swiftSettings: swiftRules),
        // Needs root: each node stands in a network namespace of its own (scripts/test-network).
        .testTarget(
            name: "NetworkTests",
            dependencies: [
                "continuity", "AgentGuard", "HookSandbox", "ContinuityDemo", "ContinuityPostgres",
                "ContinuityCore", "ContinuityHTTP", "ContinuityStore", "CLinux",
            ],
            swiftSettings: swiftRules),
    ]
)
