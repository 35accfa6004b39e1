{{/* Name of all objects, and of the pods' own label: no other release in the namespace has it. 11 characters are
left for -public and for what the set adds to the names of pods. */}}
{{- define "kubia-pet.name" -}}
{{- $name := default .Release.Name .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- if not (regexMatch "^[a-z][-a-z0-9]*$" $name) -}}
{{- fail (printf "The Services would be named %s, and Kubernetes takes a letter first, and no dot: set fullnameOverride." $name) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{/* What selects the pods. It may never change: a StatefulSet's selector cannot. */}}
{{- define "kubia-pet.selector" -}}
app: {{ include "kubia-pet.name" . }}
{{- end -}}

{{- define "kubia-pet.labels" -}}
{{ include "kubia-pet.selector" . }}
{{ include "kubia-pet.common" . }}
{{- end -}}

{{/* Helm's own labels. They say what came from where, and select nothing. */}}
{{- define "kubia-pet.common" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "kubia-pet.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* What the restricted Pod Security Standard asks of a pod, and of its container. */}}
{{- define "kubia-pet.podSecurityContext" -}}
runAsNonRoot: true
{{- if not .Values.openshift }}
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "kubia-pet.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* On which nodes pods may be, the set's and its test's. */}}
{{- define "kubia-pet.nodes" -}}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- $lost := not (kindIs "invalid" .Values.lostNodeSeconds) }}
{{- if or .Values.tolerations $lost }}
tolerations:
  {{- if $lost }}
  {{- range list "node.kubernetes.io/unreachable" "node.kubernetes.io/not-ready" }}
  - key: {{ . }}
    operator: Exists
    effect: NoExecute
    tolerationSeconds: {{ int $.Values.lostNodeSeconds }}
  {{- end }}
  {{- end }}
  {{- with .Values.tolerations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end -}}

{{/* The pods' environment, last what the values add to it. */}}
{{- define "kubia-pet.env" -}}
- name: KUBIAPET_POD_UID
  valueFrom:
    fieldRef:
      fieldPath: metadata.uid
- name: KUBIAPET_NODE
  valueFrom:
    fieldRef:
      fieldPath: spec.nodeName
{{- if .Values.token.secret }}
{{ include "kubia-pet.tokenEnv" . }}
{{- end }}
{{- if .Values.faults }}
- name: KUBIAPET_FAULTS
  value: "true"
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The token's Secret, mounted as a directory: a single file would never be exchanged. */}}
{{- define "kubia-pet.tokenEnv" -}}
- name: KUBIAPET_TOKEN_FILE
  value: /run/secrets/kubia-pet/token
{{- end -}}

{{- define "kubia-pet.tokenMount" -}}
- name: token
  mountPath: /run/secrets/kubia-pet
  readOnly: true
{{- end -}}

{{- define "kubia-pet.tokenVolume" -}}
- name: token
  secret:
    secretName: {{ .Values.token.secret }}
    defaultMode: 0440
{{- end -}}

{{/* A quantity of storage as a number of bytes: 1Gi and 1024Mi are the same claim. */}}
{{- define "kubia-pet.bytes" -}}
{{- $units := dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $number := regexFind "^[0-9.]+" . -}}
{{- mulf (float64 $number) (get $units (trimPrefix $number .)) | int64 -}}
{{- end -}}

{{/* Says before the upgrade what the API server would say in the middle of it: a StatefulSet's claim template
cannot be changed. Empty where there is no such set yet, or no cluster to ask. */}}
{{- define "kubia-pet.refuseAnotherClaim" -}}
{{- $name := include "kubia-pet.name" . -}}
{{- with dig "spec" "volumeClaimTemplates" list (lookup "apps/v1" "StatefulSet" .Release.Namespace $name) -}}
{{- $spec := (first .).spec -}}
{{- $there := list (include "kubia-pet.bytes" $spec.resources.requests.storage) (default "" $spec.storageClassName) (first $spec.accessModes) -}}
{{- $wanted := list (include "kubia-pet.bytes" $.Values.storage.size) (default "" $.Values.storage.className) $.Values.storage.accessMode -}}
{{- if ne (toJson $there) (toJson $wanted) -}}
{{- $class := default "the default class" $spec.storageClassName -}}
{{- $said := printf "The claims of StatefulSet %s are of %s, %s, %s, and Kubernetes lets nobody change that in a StatefulSet.\nKeep storage as it is, or:" $name $spec.resources.requests.storage $class (first $spec.accessModes) -}}
{{- $set := printf "kubectl --namespace %s delete statefulset %s --cascade=orphan" $.Release.Namespace $name -}}
{{- $claim := printf `kubectl --namespace %s patch persistentvolumeclaim data-%s-%d --patch '{"spec":{"resources":{"requests":{"storage":"%s"}}}}'` $.Release.Namespace $name (int $.Values.ordinals.start) $.Values.storage.size -}}
{{- $change := sub (first $wanted | int64) (first $there | int64) -}}
{{- $steps := list (printf "take the set away and leave its pods, which serve on:\n      %s" $set) -}}
{{- if gt $change 0 -}}
{{- $steps = append $steps (printf "let each claim grow, where its storage class allows that:\n      %s" $claim) -}}
{{- end -}}
{{- if or (lt $change 0) (ne (rest $there | toJson) (rest $wanted | toJson)) -}}
{{- $steps = append $steps "know that the claims that are there stay as they are: none can shrink, or change its class or access mode.\n    For a new one keep the pod's value elsewhere, and delete claim and pod after the last step." -}}
{{- end -}}
{{- $steps = append $steps "run this command again: the new set takes pods and claims over." -}}
{{- range $index, $step := $steps -}}
{{- $said = printf "%s\n %d. %s" $said (add1 $index) $step -}}
{{- end -}}
{{- fail (printf "\n\n%s\n" $said) -}}
{{- end -}}
{{- end -}}
{{- end -}}
