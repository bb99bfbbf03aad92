import ContinuityCore
import ContinuityTransport

/// What `--version` prints.
package enum VersionText {
    package static var current: String {
        let formats = ProductVersion.formats.map { format in
            let reads =
                format.reads.count == 1
                ? "\(format.reads.lowerBound)"
                : "\(format.reads.lowerBound) to \(format.reads.upperBound)"
            return "format \(format.name): writes \(format.writes), reads \(reads)"
        }
        return (["continuity \(ProductVersion.number)", "commit \(BuildVersion.commit)"] + formats)
            .joined(separator: "\n")
    }
}
