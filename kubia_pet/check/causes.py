"""Every cause that a check can name, with the way out. The words are stable: docs/check.md has them too."""

_AGAIN = (
    "it cannot be changed in place: kubectl delete statefulset NAME --cascade=orphan, then apply it again"
)
_CACHE = "Wait for the DNS cache, 30 s in many clusters"

REMEDIES = {
    # identity
    "no-service-name": f"Set the StatefulSet's serviceName to its headless service ({_AGAIN}; claims stay).",
    "wrong-service-name": "The StatefulSet's serviceName must be the headless service that selects its pods "
    f"({_AGAIN}; claims stay).",
    "not-a-statefulset": "Run the pods by a StatefulSet: only that gives stable names and a volume for each.",
    "other-name": "Remove --pod and KUBIAPET_POD, and hostname from the pod template: the StatefulSet "
    "gives names.",
    "missing-pod": "kubectl describe pod NAME says why it does not run, or is not ready.",
    "no-answer": "It runs, but does not serve: see kubectl describe pod, and its log.",
    # dns
    "nobody": "A headless service (clusterIP: None) of exactly this name must select the pods' labels, "
    "serviceName must name it, and the pods must be ready.",
    "not-headless": "Delete the service and create it again with clusterIP: None.",
    "dns-failed": "See the name server's log (kubectl -n kube-system logs -l k8s-app=kube-dns), and "
    "whether a "
    "network policy lets the pods ask port 53, UDP and TCP.",
    "no-host-names": "The StatefulSet's serviceName must be the name of this headless service.",
    "addresses-differ": f"{_CACHE}; then restart CoreDNS.",
    "wrong-selector": "Narrow the headless service's selector to the labels of the StatefulSet's pods.",
    "missing-in-dns": "See whether the service's selector fits the pod's labels: kubectl get endpointslices.",
    "gap": "See whether the pod that is missing is there and ready: kubectl get pods.",
    "unnamed-port": "Name the headless service's port http: the DNS specification has SRV records for named "
    "ports only.",
    "stale-record": f"{_CACHE}; if it stays, restart CoreDNS, and see kubectl get endpointslices.",
    "other-pod": f"The address is another pod's by now. {_CACHE}; then restart CoreDNS.",
    "not-a-pet": "Another program answers at this address: see the service's selector and port.",
    "flaps": "A replica of the name server, or a cache before it, knows less than the others: restart "
    "CoreDNS "
    "and node-local caches, and see whether a pod goes ready and not ready.",
    "name-servers-differ": "Restart the name server that knows less.",
    # volume
    "not-a-volume": "Give the StatefulSet volumeClaimTemplates and mount the claim on the data directory: "
    "what "
    "is there now goes with the pod or its node.",
    "shared": "Give each pod a claim of its own by volumeClaimTemplates: a hostPath, or one claim in the pod "
    "template, is the same place for all.",
    "cloned": "Decide which copy is the right one, and empty the other volume.",
    "full": "Make the volume larger, or remove what fills it.",
    "read-only": "Mount the claim writable; where it is, see the node's kernel log for a file system with "
    "errors.",
    "not-permitted": "Set fsGroup in the pod's security context to a group that may write; on NFS see the "
    "export's root squash, on a hostPath the directory's owner.",
    "not-writable": "See the pod's log and the node's kernel log.",
    "fsync-too-cheap": "Have the disk tell the truth (the hypervisor's cache mode, the storage class's "
    "options), "
    "or accept that a power cut takes acknowledged values. Only a power cut proves it.",
    "swapped": "Give the pod its own claim back; scale to 0 before claims are exchanged.",
    "lost": "Restore the volume from a backup, or accept the empty one by writing a new value.",
    "rolled-back": "Restore the newest state of the volume, or accept the old one by writing a new value.",
    "changed-outside": "None is needed if somebody meant to: the value was changed beside the pet's own "
    "writes.",
    "ledger-fault": "See the pod's log: without its ledger nothing will be proved later.",
    # cluster
    "one-way": "See the network between the two nodes: a policy, firewall or route lets one direction pass.",
    "unreachable-peer": "See network policies and the nodes' network: the pod is in DNS, but peers do not "
    "reach it.",
    "peer-error": "See what the code means in the README, and the log of the pod that gave no value; "
    "too-much is a bound: raise --max-gathered.",
    "views-differ": "See dns.steady, and /peers of the pods whose lists lack somebody.",
    "misses-pod": "See the public service's selector, and its endpoints: kubectl get endpointslices.",
    "strangers": "Narrow the public service's selector: pods of another set are behind it.",
    "reaches-unready": "Set publishNotReadyAddresses of the public service to false, and see the readiness "
    "probe.",
    "public-fails": "See the public service's port, targetPort and endpoints.",
    "not-durable": "A value that was acknowledged is not there: see volume.history and the pod's log.",
    "misdirected": "A value written to one pod is told by another: see dns.roundtrip.",
    # disruptions
    "not-back": "See kubectl describe pod, and the events of its claim.",
    "other-volume": "The claim must be the StatefulSet's own and be kept: "
    "persistentVolumeClaimRetentionPolicy "
    "Retain.",
    "not-moved": "Its volume is tied to the node (a local one, or a zone of one node): see the claim's "
    "volume, "
    "its nodeAffinity, and kubectl describe pod.",
}
