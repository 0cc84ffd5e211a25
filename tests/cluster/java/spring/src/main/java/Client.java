// A Spring Boot application that takes its settings from our config server and registers in our discovery. It is
// told what to do by lines on standard input and answers each with one line on standard output.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.TreeMap;
import org.springframework.boot.SpringBootConfiguration;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.WebApplicationType;
import org.springframework.cloud.client.discovery.DiscoveryClient;
import org.springframework.cloud.context.refresh.ContextRefresher;
import org.springframework.context.ConfigurableApplicationContext;

// Without a scan: in the unnamed package it would look at every class there is.
@SpringBootConfiguration
@EnableAutoConfiguration
public class Client {
    public static void main(String[] arguments) throws Exception {
        ConfigurableApplicationContext context =
                new SpringApplicationBuilder(Client.class).web(WebApplicationType.NONE).run(arguments);
        answer("ready");
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = input.readLine()) != null; ) {
            String[] words = line.split(" ");
            switch (words[0]) {
                case "get" -> answer(context.getEnvironment().getProperty(words[1], "(none)"));
                case "refresh" -> answer(context.getBean(ContextRefresher.class).refresh().toString());
                case "instances" -> {
                    TreeMap<String, Integer> found = new TreeMap<>();
                    for (var one : context.getBean(DiscoveryClient.class).getInstances(words[1]))
                        found.put(one.getInstanceId() + one.getMetadata().getOrDefault("zone", ""), one.getPort());
                    answer(found.toString());
                }
                case "stop" -> {
                    context.close();
                    answer("stopped");
                    return;
                }
                default -> answer("unknown");
            }
        }
    }

    private static void answer(String text) {
        System.out.println("> " + text);
        System.out.flush();
    }
}
