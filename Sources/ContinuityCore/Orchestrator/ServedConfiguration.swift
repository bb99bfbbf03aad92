/// What the files say: the clusters that this process serves, and the brake of them all. The
/// orchestrator is its only holder, so that whatever is begun anew begins with what holds now.
package struct ServedConfiguration: Hashable, Sendable {
    package var clusters: [ClusterConfigured]
    package var brake: BrakeSettings

    package init(clusters: [ClusterConfigured] = [], brake: BrakeSettings = BrakeSettings()) {
        self.clusters = clusters
        self.brake = brake
    }
}
