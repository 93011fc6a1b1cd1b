import com.google.gson.Gson;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.grpc.CallOptions;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * A stock grpc-java client with xDS, driven by JSON lines on stdin.
 *
 * <p>Start: java Client TARGET [CHANNELS], with GRPC_XDS_BOOTSTRAP_CONFIG set for xds:/// targets; "{}" in the target is
 * replaced by the channel's number. Commands: call {n, parallel}, slow_call {n}, start_load {rps}, stop_load, quit; one
 * JSON line answers each. The same protocol as tests/support/clients_grpcio.py, ../go and ../node.
 */
public final class Client {
  private static final MethodDescriptor<byte[], byte[]> ECHO = method("Echo");
  private static final MethodDescriptor<byte[], byte[]> SLOW = method("Slow");
  private static final long CALL_SECONDS = 20;
  private static final int KEPT_ERRORS = 5;

  private final List<ManagedChannel> channels = new ArrayList<>();
  private volatile boolean stopping;
  private CompletableFuture<Tally> load;

  private Client(String target, int count) {
    for (int i = 0; i < count; i++) {
      String mine = target.replace("{}", Integer.toString(i));
      channels.add(Grpc.newChannelBuilder(mine, InsecureChannelCredentials.create()).build());
    }
  }

  /** Starts the client and obeys stdin until it ends. */
  public static void main(String[] args) throws IOException, InterruptedException {
    Client client = new Client(args[0], args.length > 1 ? Integer.parseInt(args[1]) : 1);
    BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    Gson gson = new Gson();
    System.out.println("{\"ready\": true}");
    String line = commands.readLine();
    while (line != null) {
      JsonObject command = JsonParser.parseString(line).getAsJsonObject();
      if (command.get("cmd").getAsString().equals("quit")) {
        break;
      }
      System.out.println(gson.toJson(client.handle(command)));
      line = commands.readLine();
    }
    System.exit(0); // open channels would keep the process alive
  }

  private Map<String, Object> handle(JsonObject command) throws InterruptedException {
    String word = command.get("cmd").getAsString();
    switch (word) {
      case "call":
        return calls(command.get("n").getAsInt(), ECHO, command.get("parallel").getAsInt());
      case "slow_call":
        int slow = command.get("n").getAsInt();
        return calls(slow, SLOW, slow);
      case "start_load":
        double rps = command.get("rps").getAsDouble();
        stopping = false;
        load = CompletableFuture.supplyAsync(() -> runLoad(rps));
        return Map.of();
      case "stop_load":
        stopping = true;
        return load.join().answer();
      default:
        throw new IllegalArgumentException("no such command: " + word);
    }
  }

  /** Makes n calls, at most parallel at once, spread over the channels in turn. */
  private Map<String, Object> calls(int n, MethodDescriptor<byte[], byte[]> method, int parallel)
      throws InterruptedException {
    Tally tally = new Tally();
    Semaphore free = new Semaphore(parallel);
    for (int i = 0; i < n; i++) {
      free.acquire();
      call(i, method, tally, free);
    }
    free.acquire(parallel);
    return tally.answer();
  }

  /** Starts calls at a steady rate until told to stop, then waits for the last ones. */
  private Tally runLoad(double rps) {
    Tally tally = new Tally();
    Semaphore done = new Semaphore(0);
    long start = System.nanoTime();
    int begun = 0;
    while (!stopping) {
      call(begun, ECHO, tally, done);
      begun++;
      LockSupport.parkNanos(start + (long) (begun / rps * 1e9) - System.nanoTime());
    }
    done.acquireUninterruptibly(begun);
    return tally;
  }

  private void call(int i, MethodDescriptor<byte[], byte[]> method, Tally tally, Semaphore done) {
    ManagedChannel channel = channels.get(i % channels.size());
    CallOptions options = CallOptions.DEFAULT.withDeadlineAfter(CALL_SECONDS, TimeUnit.SECONDS);
    byte[] request = {'x'};
    ClientCalls.asyncUnaryCall(channel.newCall(method, options), request, new Observer(tally, done));
  }

  private static MethodDescriptor<byte[], byte[]> method(String name) {
    return MethodDescriptor.<byte[], byte[]>newBuilder(new Raw(), new Raw())
        .setType(MethodDescriptor.MethodType.UNARY)
        .setFullMethodName("lab.Echo/" + name)
        .build();
  }

  /** Passes bytes through as they are. */
  private static final class Raw implements MethodDescriptor.Marshaller<byte[]> {
    @Override
    public InputStream stream(byte[] value) {
      return new ByteArrayInputStream(value);
    }

    @Override
    public byte[] parse(InputStream stream) {
      try {
        return stream.readAllBytes();
      } catch (IOException error) {
        throw new UncheckedIOException(error);
      }
    }
  }

  /** Counts how one call ends. */
  private static final class Observer implements StreamObserver<byte[]> {
    private final Tally tally;
    private final Semaphore done;
    private final long began = System.nanoTime();
    private byte[] reply = new byte[0];

    Observer(Tally tally, Semaphore done) {
      this.tally = tally;
      this.done = done;
    }

    @Override
    public void onNext(byte[] value) {
      reply = value;
    }

    @Override
    public void onError(Throwable error) {
      tally.failed(Status.fromThrowable(error), (System.nanoTime() - began) / 1e9);
      done.release();
    }

    @Override
    public void onCompleted() {
      tally.succeeded("127.0.0.1:" + new String(reply, StandardCharsets.US_ASCII));
      done.release();
    }
  }

  /** Calls counted by answering backend, and the first few errors in full. */
  private static final class Tally {
    private final Map<String, Integer> backends = new TreeMap<>();
    private final List<Map<String, Object>> errors = new ArrayList<>();
    private int ok;
    private int failed;

    synchronized void succeeded(String backend) {
      ok++;
      backends.merge(backend, 1, Integer::sum);
    }

    synchronized void failed(Status status, double seconds) {
      failed++;
      if (errors.size() < KEPT_ERRORS) {
        String details = String.valueOf(status.getDescription());
        errors.add(Map.of("code", status.getCode().name(), "details", details, "seconds", seconds));
      }
    }

    synchronized Map<String, Object> answer() {
      Map<String, Object> found = new LinkedHashMap<>();
      found.put("ok", ok);
      found.put("failed", failed);
      found.put("backends", backends);
      found.put("errors", errors);
      return found;
    }
  }
}
