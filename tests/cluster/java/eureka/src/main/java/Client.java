// Netflix's Eureka client against our discovery service, told what to do by lines on standard input. Arguments: the
// service's URL, the application's name, the codec (LegacyJacksonJson, XStreamXml, JacksonXml ...).
import com.netflix.appinfo.ApplicationInfoManager;
import com.netflix.appinfo.InstanceInfo;
import com.netflix.appinfo.MyDataCenterInstanceConfig;
import com.netflix.appinfo.providers.EurekaConfigBasedInstanceInfoProvider;
import com.netflix.config.ConfigurationManager;
import com.netflix.discovery.DefaultEurekaClientConfig;
import com.netflix.discovery.DiscoveryClient;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Map;
import java.util.TreeSet;

public class Client {
    public static void main(String[] arguments) throws Exception {
        String accept = arguments[2].endsWith("Xml") ? "full" : "compact";
        Map<String, String> settings = Map.ofEntries(
                Map.entry("eureka.name", arguments[1]), Map.entry("eureka.port", "7001"),
                Map.entry("eureka.vipAddress", arguments[1]), Map.entry("eureka.instanceId", "java:" + arguments[1]),
                Map.entry("eureka.serviceUrl.default", arguments[0]), Map.entry("eureka.region", "default"),
                Map.entry("eureka.shouldUseDns", "false"), Map.entry("eureka.preferSameZone", "false"),
                Map.entry("eureka.decoderName", arguments[2]), Map.entry("eureka.encoderName", arguments[2]),
                Map.entry("eureka.clientDataAccept", accept), Map.entry("eureka.client.refresh.interval", "1"),
                Map.entry("eureka.appinfo.replicate.interval", "1"), Map.entry("eureka.appinfo.initial.replicate.time", "0"),
                Map.entry("eureka.lease.renewalInterval", "1"), Map.entry("eureka.lease.duration", "4"),
                Map.entry("eureka.metadata.zone_name", "eu-1"));
        for (var one : settings.entrySet())
            ConfigurationManager.getConfigInstance().setProperty(one.getKey(), one.getValue());
        MyDataCenterInstanceConfig config = new MyDataCenterInstanceConfig();
        InstanceInfo self = new EurekaConfigBasedInstanceInfoProvider(config).get();
        ApplicationInfoManager manager = new ApplicationInfoManager(config, self);
        DiscoveryClient client = new DiscoveryClient(manager, new DefaultEurekaClientConfig());
        manager.setInstanceStatus(InstanceInfo.InstanceStatus.UP);
        answer("ready");
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = input.readLine()) != null; ) {
            String[] words = line.split(" ");
            switch (words[0]) {
                case "instances" -> {
                    TreeSet<String> found = new TreeSet<>();
                    var application = client.getApplication(words[1]);
                    if (application != null)
                        for (InstanceInfo one : application.getInstancesAsIsFromEureka())
                            found.add(one.getId() + "=" + one.getStatus() + ":" + one.getPort() + ":"
                                    + one.getMetadata().getOrDefault("zone_name", ""));
                    answer(found.toString());
                }
                case "hash" -> answer(client.getApplications().getAppsHashCode());
                case "down" -> {
                    manager.setInstanceStatus(InstanceInfo.InstanceStatus.DOWN);
                    answer("down");
                }
                case "vip" -> answer(Integer.toString(client.getInstancesByVipAddress(words[1], false).size()));
                case "stop" -> {
                    client.shutdown();
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
