import java.io.BufferedInputStream;
import java.io.FileInputStream;
import java.io.InputStream;
import java.security.MessageDigest;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipInputStream;

/**
 * Reads a snapshot archive in Java's two ways, by its directory and as a stream, and compares them.
 *
 * <p>{@code java JudgeArchive.java ARCHIVE} prints {@code SHA256  NAME} for each entry, in the
 * stream's order. Both ways must see the same names, and the same bytes in them; each checks the
 * CRCs by itself.
 */
public class JudgeArchive {
    public static void main(String[] arguments) throws Exception {
        Map<String, String> streamed = byStream(arguments[0]);
        Map<String, String> listed = byDirectory(arguments[0]);
        if (!streamed.equals(listed)) {
            System.err.println("the two ways differ:\n" + streamed + "\n" + listed);
            System.exit(1);
        }
        streamed.forEach((name, hash) -> System.out.println(hash + "  " + name));
    }

    private static Map<String, String> byDirectory(String path) throws Exception {
        Map<String, String> found = new LinkedHashMap<>();
        try (ZipFile archive = new ZipFile(path)) {
            for (ZipEntry entry : Collections.list(archive.entries())) {
                try (InputStream bytes = archive.getInputStream(entry)) {
                    found.put(entry.getName(), hash(bytes));
                }
            }
        }
        return found;
    }

    private static Map<String, String> byStream(String path) throws Exception {
        Map<String, String> found = new LinkedHashMap<>();
        try (ZipInputStream archive =
                new ZipInputStream(new BufferedInputStream(new FileInputStream(path)))) {
            for (ZipEntry entry; (entry = archive.getNextEntry()) != null; ) {
                found.put(entry.getName(), hash(archive));
            }
        }
        return found;
    }

    private static String hash(InputStream bytes) throws Exception {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        byte[] buffer = new byte[65536];
        for (int length; (length = bytes.read(buffer)) >= 0; ) {
            digest.update(buffer, 0, length);
        }
        return HexFormat.of().formatHex(digest.digest());
    }
}
