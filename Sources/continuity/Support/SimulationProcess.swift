import ContinuityAPI
import ContinuityConfig
import ContinuityCore
import ContinuitySimulation
import Foundation
import Glibc
import Subprocess
import SystemPackage

/// Simulates for `serve` in a process of its own: whatever a described cluster makes of it, the
/// server loses nothing by it.
struct SimulationProcess: SimulationPort {
    private static let wallTime: Duration = .seconds(10)
    private static let cpuS: UInt64 = 8
    private static let memoryBytes: UInt64 = 2 << 30
    private static let outputBytesMax = 8 << 20

    var scenarios: [String] { WhatIf.Scenario.allCases.map(\.rawValue) }

    func report(of body: [UInt8]) async throws -> [UInt8] {
        // Also when the program's file has been replaced meanwhile.
        let configuration = Configuration(
            executable: .path(FilePath("/proc/self/exe")),
            arguments: ["simulate", "--from-serve"], environment: .custom([:]),
            platformOptions: PlatformOptions())
        let output = try await withThrowingTaskGroup(of: [UInt8]?.self) { group in
            group.addTask {
                let result = try await Subprocess.run(
                    configuration, input: .array(body), output: .bytes(limit: Self.outputBytesMax),
                    error: .discarded)
                return result.terminationStatus.isSuccess ? result.standardOutput : []
            }
            group.addTask {
                try await Task.sleep(for: Self.wallTime)
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
        guard let output else {
            throw SimulationFailure(
                "it did not end within \(Self.wallTime); simulate with 'continuity simulate', or "
                    + "fewer nodes")
        }
        guard !output.isEmpty else {
            throw SimulationFailure(
                "it did not come to its end; the cluster or policy may be out of the ordinary, or "
                    + "it takes more than \(Self.cpuS) s; see 'continuity simulate'")
        }
        return output
    }

    // MARK: Within the process

    /// Simulates what standard input describes, and prints the report.
    ///
    /// - Throws: `ConfigError`; the server has checked the body before.
    static func run() throws {
        confine()
        let body = Array(FileHandle.standardInput.readDataToEndOfFile())
        let reader = try ConfigReader.parse(json: body)
        let cluster = try ClusterFile.read(reader.mapping("cluster"))
        let policy = try PolicyFile.read(reader.mapping("policy"), for: cluster)
        let scenario = WhatIf.Scenario(
            rawValue: try reader.optionalString("scenario") ?? SimulationBody.scenarioDefault)
        let seed = try reader.int("seed", in: 0...Int64.max, default: SimulationBody.seedDefault)
        guard let scenario else { throw SimulationFailure("unknown scenario") }
        let report = WhatIf.run(
            cluster: cluster, policy: policy, scenario: scenario, seed: UInt64(seed),
            hooks: AssumedHooks(reason: "the server's simulation runs no packs"))
        let bytes = try CanonicalJSON.bytes(encoding: report)
        try FileHandle.standardOutput.write(contentsOf: Data(bytes))
    }

    /// Last in the queue for the processor, and bounded also when nobody waits any more.
    private static func confine() {
        setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 19)
        for (resource, limit) in [
            (RLIMIT_CPU, cpuS), (RLIMIT_AS, memoryBytes), (RLIMIT_CORE, 0),
        ] {
            var bounds = rlimit(rlim_cur: rlim_t(limit), rlim_max: rlim_t(limit))
            setrlimit(__rlimit_resource_t(resource.rawValue), &bounds)
        }
    }
}
