import Glibc

/// Files that hold keys: written whole or not at all, and for their owner alone.
package enum KeyFile {
    /// What is read at most, in bytes: certificates with their chain are a few thousand.
    private static let bytesMax = 1 << 20

    /// Replaces the file in one step, so that no reader ever sees half of it.
    ///
    /// - Throws: ``CertificateError`` when the folder cannot be written to, or, unless `replacing`,
    ///   when the file is there already.
    package static func write(
        _ bytes: [UInt8], to file: String, mode: UInt32 = 0o600, replacing: Bool
    ) throws(CertificateError) {
        let temporary = "\(file).\(hexString(randomBytes(6))).new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw failure("cannot write", temporary) }
        defer { unlink(temporary) }
        var isWritten = true
        var position = 0
        // Bounded by the bytes: each turn writes some of them or ends it.
        while isWritten, position < bytes.count {
            let count = bytes[position...].withUnsafeBytes {
                Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            if count > 0 { position += count } else if errno != EINTR { isWritten = false }
        }
        if replacing { isWritten = keepOwner(of: file, descriptor) && isWritten }
        isWritten =
            fchmod(descriptor, replacing ? keptMode(of: file) ?? mode : mode) == 0
            && isWritten
        isWritten = fsync(descriptor) == 0 && isWritten
        isWritten = close(descriptor) == 0 && isWritten
        guard isWritten else { throw failure("cannot write", temporary) }
        // A link fails where something stands already; a rename replaces it.
        let result = replacing ? rename(temporary, file) : link(temporary, file)
        guard result == 0 else {
            guard errno != EEXIST else {
                throw CertificateError(
                    "\(file) is there already",
                    remedy: "name another file, or renew it with 'continuity pki renew'")
            }
            throw failure("cannot write", file)
        }
    }

    /// What is renewed by root stays readable for the user that it was made for.
    private static func keepOwner(of file: String, _ descriptor: Int32) -> Bool {
        var status = stat()
        guard stat(file, &status) == 0 else { return true }
        guard status.st_uid != geteuid() || status.st_gid != getegid() else { return true }
        return fchown(descriptor, status.st_uid, status.st_gid) == 0
    }

    /// The mode of the file that is replaced, without rights for everybody.
    private static func keptMode(of file: String) -> mode_t? {
        var status = stat()
        guard stat(file, &status) == 0 else { return nil }
        return status.st_mode & 0o770 | 0o600
    }

    /// - Throws: ``CertificateError`` when it cannot be read.
    package static func read(_ file: String) throws(CertificateError) -> [UInt8] {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure("cannot read", file) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count <= bytesMax {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count == 0 { return bytes }
            guard count > 0 || errno == EINTR else { throw failure("cannot read", file) }
            if count > 0 { bytes += buffer.prefix(count) }
        }
        throw CertificateError("\(file) is longer than \(bytesMax) bytes", remedy: "name another")
    }

    /// - Throws: ``CertificateError`` when others than its owner and group could read the key.
    package static func checkMode(_ file: String) throws(CertificateError) {
        var status = stat()
        guard stat(file, &status) == 0 else { throw failure("cannot read", file) }
        guard status.st_mode & 0o007 == 0 else {
            throw CertificateError(
                "\(file) holds a key and can be read by everyone", remedy: "chmod 600 \(file)")
        }
    }

    private static func failure(_ what: String, _ file: String) -> CertificateError {
        CertificateError(
            "\(what) \(file): \(String(cString: strerror(errno)))",
            remedy: "check that its folder exists and who may use it")
    }
}
