import Foundation

/// Where the shipped packs stand: the folder that holds `policies` and `hooks`.
enum ProjectHome {
    /// `CONTINUITY_HOME`, or the nearest folder above the executable that holds both, itself or
    /// in `share/continuity`, where the packages put them.
    ///
    /// - Throws: `DemoFailure` when there is none.
    static func locate(executablePath: String) throws -> String {
        if let home = ProcessInfo.processInfo.environment["CONTINUITY_HOME"], !home.isEmpty {
            guard isHome(home) else {
                throw DemoFailure(
                    "CONTINUITY_HOME is \(home), where there are no 'policies' and 'hooks'; "
                        + "set it to the project's folder")
            }
            return URL(filePath: home).standardizedFileURL.path
        }
        var folder = URL(filePath: executablePath).resolvingSymlinksInPath()
        while folder.path != "/" {
            folder.deleteLastPathComponent()
            for place in [folder.path, "\(folder.path)/share/continuity"] where isHome(place) {
                return place
            }
        }
        throw DemoFailure(
            "no folder above \(executablePath) holds 'policies' and 'hooks'; "
                + "set CONTINUITY_HOME to the project's folder")
    }

    private static func isHome(_ path: String) -> Bool {
        ["policies", "hooks"].allSatisfy { name in
            var isDirectory: ObjCBool = false
            return FileManager.default.fileExists(
                atPath: "\(path)/\(name)", isDirectory: &isDirectory) && isDirectory.boolValue
        }
    }
}
