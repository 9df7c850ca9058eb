{{/* Name of everything in the release: the release's own when it says rackrelay already. */}}
{{- define "rackrelay.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that select the operator's pods. */}}
{{- define "rackrelay.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{/* Labels of everything but pods. */}}
{{- define "rackrelay.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Image reference of "operator" or "dataplane": (list $ "operator"). */}}
{{- define "rackrelay.image" -}}
{{- $root := index . 0 -}}
{{- $image := get $root.Values.image (index . 1) -}}
{{- with $root.Values.image.registry }}{{ . }}/{{ end -}}
{{- $image.repository }}:{{ $image.tag | default $root.Chart.AppVersion -}}
{{- end -}}

{{/* The region namespaces. Racks use their node's network, which the operator's own namespace should forbid. */}}
{{- define "rackrelay.regionNamespaces" -}}
{{- if has .Release.Namespace .Values.regionNamespaces -}}
{{- fail (printf "regionNamespaces: %s is the operator's own namespace; regions and racks need another one" .Release.Namespace) -}}
{{- end -}}
{{- join "," .Values.regionNamespaces -}}
{{- end -}}

{{/* What a container of ours may do: nothing. */}}
{{- define "rackrelay.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{/* A pod that the restricted Pod Security Standard accepts. */}}
{{- define "rackrelay.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10240
runAsGroup: 10240
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{/* Where the operator's pods may run. */}}
{{- define "rackrelay.placement" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Annotations of what `helm test` needs besides its pod; the argument is the order. */}}
{{- define "rackrelay.testHook" -}}
helm.sh/hook: test
helm.sh/hook-weight: {{ . | quote }}
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded,hook-failed
{{- end -}}
