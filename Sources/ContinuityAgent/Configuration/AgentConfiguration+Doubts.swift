import ContinuityCore
import Foundation

extension AgentConfiguration {
    /// What is no mistake in itself, but hardly meant: told when the agent starts, and by
    /// `continuity agent --check`.
    package var doubts: [String] {
        // A witness has none of it.
        guard let service else { return [] }
        var doubts: [String] = []
        let effects: [(AgentCommand.Name, String)] = [
            (.promote, "this node cannot become primary"),
            (.demote, "it cannot hand over in an orderly way"),
            (.follow, "it does not follow another primary"),
            (.rejoin, "once it was stopped or was primary, nobody brings it back"),
            (.restart, "its service is not started again where it is"),
        ]
        for (name, effect) in effects where commands[name] == nil {
            doubts.append("there is no command '\(name.rawValue)': \(effect)")
        }
        let processes = ServiceProcesses(
            directory: service.directory, pidFile: service.pidFile)
        if !FileManager.default.fileExists(atPath: service.directory) {
            doubts.append(
                "service.directory \(service.directory) is not there: no process of the service "
                    + "can be found by it")
        } else if processes.mainProcess() == nil, let pid = processes.scan().alive.first {
            doubts.append(
                "process \(pid) runs in service.directory, and service.pid_file "
                    + "\(service.pidFile) names none of those there: the service would be taken "
                    + "for stopped")
        }
        return doubts
    }
}
