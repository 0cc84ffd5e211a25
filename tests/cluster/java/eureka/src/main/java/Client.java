// Netflix's Eureka client against our discovery service, told what to do by lines on standard input and answering
// each with a line. Arguments: the service's URL, the application's name, the JSON codec, the seconds of its lease. Its transport speaks JSON
// only; XML goes through its codecs and the JDK's HTTP client.
import com.netflix.appinfo.ApplicationInfoManager;
import com.netflix.appinfo.InstanceInfo;
import com.netflix.appinfo.LeaseInfo;
import com.netflix.appinfo.MyDataCenterInstanceConfig;
import com.netflix.appinfo.providers.EurekaConfigBasedInstanceInfoProvider;
import com.netflix.config.ConfigurationManager;
import com.netflix.discovery.DefaultEurekaClientConfig;
import com.netflix.discovery.DiscoveryClient;
import com.netflix.discovery.converters.wrappers.CodecWrappers;
import com.netflix.discovery.shared.Applications;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.Map;
import java.util.TreeSet;

public class Client {
    public static void main(String[] arguments) throws Exception {
        Map<String, String> settings = Map.ofEntries(
                Map.entry("eureka.name", arguments[1]), Map.entry("eureka.port", "7001"),
                Map.entry("eureka.vipAddress", arguments[1]), Map.entry("eureka.instanceId", "java:" + arguments[1]),
                Map.entry("eureka.serviceUrl.default", arguments[0]), Map.entry("eureka.region", "default"),
                Map.entry("eureka.shouldUseDns", "false"), Map.entry("eureka.preferSameZone", "false"),
                Map.entry("eureka.decoderName", arguments[2]), Map.entry("eureka.encoderName", arguments[2]),
                Map.entry("eureka.clientDataAccept", "full"), Map.entry("eureka.client.refresh.interval", "1"),
                Map.entry("eureka.appinfo.replicate.interval", "1"), Map.entry("eureka.appinfo.initial.replicate.time", "0"),
                Map.entry("eureka.lease.renewalInterval", "1"), Map.entry("eureka.lease.duration", arguments[3]),
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
                case "xml-all" -> answer(xmlAll(arguments[0], words[1]));
                case "xml-register" -> answer(xmlRegister(arguments[0], words[1], words[2], self));
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

    private static HttpResponse<String> send(HttpRequest.Builder request) throws Exception {
        return HttpClient.newHttpClient().send(request.build(), HttpResponse.BodyHandlers.ofString());
    }

    // Every instance with its status and metadata, as the codec reads our XML.
    private static String xmlAll(String url, String codec) throws Exception {
        String body = send(HttpRequest.newBuilder(URI.create(url + "apps")).header("Accept", "application/xml")).body();
        Applications all = CodecWrappers.getDecoder(codec).decode(body, Applications.class);
        TreeSet<String> found = new TreeSet<>();
        for (var application : all.getRegisteredApplications())
            for (InstanceInfo one : application.getInstancesAsIsFromEureka())
                found.add(one.getAppName() + "/" + one.getId() + "=" + one.getStatus() + ":" + one.getPort() + ":"
                        + one.getLeaseInfo().getRenewalIntervalInSecs() + ":"
                        + one.getMetadata().getOrDefault("zone_name", ""));
        return all.getAppsHashCode() + " " + found;
    }

    // Registers a copy of this instance under another name, in the XML that the codec writes.
    private static String xmlRegister(String url, String codec, String application, InstanceInfo self) throws Exception {
        InstanceInfo copy = new InstanceInfo.Builder(new InstanceInfo(self)).setAppName(application).setInstanceId("xml:" + application)
                .setStatus(InstanceInfo.InstanceStatus.UP)
                .setLeaseInfo(LeaseInfo.Builder.newBuilder().setRenewalIntervalInSecs(30).setDurationInSecs(600).build())
                .build();
        String body = CodecWrappers.getEncoder(codec).encode(copy);
        return Integer.toString(send(HttpRequest.newBuilder(URI.create(url + "apps/" + application.toUpperCase()))
                .header("Content-Type", "application/xml").POST(HttpRequest.BodyPublishers.ofString(body))).statusCode());
    }

    private static void answer(String text) {
        System.out.println("> " + text);
        System.out.flush();
    }
}
